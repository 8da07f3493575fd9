//! What a predicate says of single columns: the window, the types, the devices, the place.

mod window;
mod facts;
mod one_of;

pub(crate) use facts::Facts;
pub(crate) use window::Window;
