//! What people write and read: values in files and on the command line, and what is wrong with
//! them. Shared by the node's settings, its commands and the testbed's scenario files.

mod plain;
pub mod problem;
pub mod value;

pub use plain::{Plain, is_hidden, overwrites, plain, plain_coloured, plain_lines, same_length};
