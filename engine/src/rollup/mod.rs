//! Rollups: what the rows of one file add up to, by type and minute, type and H3 cell, type and device, and where they lie in it.
//!
//! [`RollupBuilder`] reads a segment's rows in their order while it is encoded; the bytes are put beside the file, before the
//! commit that names both. [`Rollup`] reads them back, a section at a time. A rollup only saves work: without it the rows
//! themselves are read.

mod sums;
mod wire;
mod sections;
mod cells;
mod minutes;
mod devices;
mod device_index;
mod builder;
mod read;
mod totals;
mod check;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
#[cfg(test)]
mod rollup_tests;

pub(crate) use builder::{NewRollup, RollupBuilder};
pub use cells::{CellGroup, NO_CELL, cell_parent};
pub(crate) use check::RollupCheck;
pub use device_index::DeviceIndex;
pub use devices::{DeviceGroup, DeviceRollup, NamedDevices};
pub use minutes::MinuteGroup;
pub use read::{Rollup, TypeRollup};
pub use sums::Sums;
