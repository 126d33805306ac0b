//! What is wrong with a scenario file: rendered as every file's problems are.

pub use distro_node::text::problem::{Problem, Problems};
pub(super) use distro_node::text::problem::{did_you_mean, help_for, line_of};
