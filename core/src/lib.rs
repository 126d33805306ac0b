//! Distro, the protocol by which Nacos nodes agree on ephemeral service instances, as a sans-I/O
//! state machine: inputs and two clock readings go in, outputs come out, nothing else happens.
//!
//! # Layout
//! - [`io`]: what goes in and comes out · [`event`]: what a node tells of its doings
//! - [`message`]: the wire vocabulary · [`ids`], [`time`], [`hash`], [`rng`], [`mod@kebab`]: small
//!   types
//! - [`config`], [`constants`], [`profile`]: what may be set, what it defaults to, and which
//!   historical defects can be switched on · [`protect`]: services that are mostly unhealthy
//! - `node`: the server machine, one file per protocol noun · [`sdk`]: the client machine

#![no_std]

extern crate alloc;

pub mod config;
pub mod constants;
pub mod event;
pub mod hash;
pub mod ids;
pub mod io;
pub mod kebab;
pub mod message;
pub mod node;
pub mod profile;
pub mod protect;
pub mod rng;
pub mod sdk;
pub mod time;
pub mod view;
