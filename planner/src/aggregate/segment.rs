//! `Segment`: the rows of one type in a file, which lie beside each other.

use std::sync::Arc;

use hexflight_engine::{DataFile, Rollup, TypeRollup};

use super::groups::Key;

/// One type of a file.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) file: &'a Arc<DataFile>,
    pub(super) rollup: &'a Arc<Rollup>,
    pub(super) of_type: TypeRollup<'a>,
    /// The type's number.
    pub(super) kind: u32,
    /// Whether all its rows lie in the window.
    pub(super) inside: bool,
}

impl Segment<'_> {
    pub(super) fn key(&self) -> Key {
        Key { kind: self.kind, ..Key::default() }
    }

    pub(super) fn key_of(&self, device: u32) -> Key {
        Key { device, ..self.key() }
    }
}

/// Whether every device of a type stands in its list.
pub(super) fn lists_all_devices(of_type: &TypeRollup<'_>) -> bool {
    of_type.device_floor() == Some(1)
}
