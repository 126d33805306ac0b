//! What people write and read: files, values in them and on the command line, and what is wrong
//! with them. Shared by the node's settings, its commands and the testbed's scenario files.
//!
//! A format is a set of [`table!`](crate::table)s. Each says once, for every key, what it takes,
//! what it is when left out and what it means; reader, writer, reference and JSON Schema follow.
//!
//! # Layout
//! - [`table`]: tables and their keys · [`slot`]: the value of a key, and where it was written ·
//!   [`kind`], [`collect`]: what keys take · [`value`]: times, sizes and services as text
//! - [`found`]: problems found while reading · [`problem`]: how they are shown ·
//!   [`reference`]: what tables print · [`times`]: the table of the
//!   protocol's times

pub mod collect;
pub mod found;
pub mod kind;
mod plain;
pub mod problem;
pub mod reference;
pub mod slot;
pub mod table;
pub mod times;
pub mod value;

pub use plain::{Plain, is_hidden, overwrites, plain, plain_coloured, plain_lines, same_length};
