//! The node around the core: how messages look on a wire, how they travel, and the shell that
//! pumps them through the state machines.
//!
//! # Layout
//! - [`codec`]: Nacos's messages as JSON payloads · [`carrier`]: payloads on a byte stream
//! - [`net`]: the network and the clocks the shell runs on, real or simulated
//! - [`tls`]: TLS on it
//! - [`shell`]: the tasks around a core `Node` and a core `Sdk`
//! - [`http`]: the HTTP of the main port, Nacos's · [`ops`]: the HTTP of operators
//! - [`record`]: a node's life written down
//! - [`settings`]: what an operator may set · [`text`]: how people write values
//! - [`client`]: the library for programs that use a registry
//! - [`bench`]: load for a running cluster
//! - [`cli`]: the commands of the binary `distro`

pub mod bench;
pub mod carrier;
pub mod cli;
pub mod client;
pub mod codec;
pub mod conformance;
pub mod http;
pub mod net;
pub mod ops;
pub mod record;
pub mod settings;
pub mod shell;
pub mod text;
pub mod tls;
