//! Behaviour tests of the node machine, one file per protocol section, on a bare loop that
//! delivers everything at once and in order.

mod beats;
mod classes;
mod cluster;
mod connections;
mod fuzzy;
mod identity;
mod naming;
mod places;
mod refusals;
mod replication;
