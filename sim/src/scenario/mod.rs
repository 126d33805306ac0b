//! Scenario files: the format, its errors, and the checked [`model`].

pub mod model;
