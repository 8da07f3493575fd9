//! What a predicate says of single columns: the window, the types, the devices, the place.

mod facts;
mod one_of;

pub(crate) use facts::Facts;
