//! The client side as a second sans-I/O machine: connect, register, redo, fail over, as the
//! official SDKs do. The testbed's clients, the operator CLI and the load generator are all this
//! machine.

pub mod io;
