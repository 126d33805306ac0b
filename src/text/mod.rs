//! What people write and read: values in files and on the command line, and what is wrong with
//! them. Shared by the node's settings, its commands and the testbed's scenario files.

pub mod problem;
pub mod value;
