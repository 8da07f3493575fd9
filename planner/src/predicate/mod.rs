//! What a predicate says of single columns: the window, the types, the devices, the place.
//!
//! Pruning and aggregates ask it. What it does not understand it leaves out, so that more is read and nothing is missed.

mod window;
mod facts;
mod one_of;

pub(crate) use facts::Facts;
pub(crate) use window::Window;
