//! `Share`: what one task has found of the files that it was given.

use std::sync::Arc;

use hexflight_engine::DataFile;

use super::{deferred::Deferred, groups::Groups, segment::Segment};
use crate::cache::DeviceNumbers;

/// See the module.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) groups: Groups,
    /// Files that have no rollup that can be used: their rows are in no group.
    pub(super) left: Vec<Arc<DataFile>>,
    /// Segments of which only the devices with many rows are in the groups.
    pub(super) deferred: Vec<Deferred>,
    /// Memory that these have held so far. **Units**: bytes.
    deferred_bytes: usize,
}

impl Share {
    pub(super) fn new(groups: Groups) -> Self {
        Self { groups, left: vec![], deferred: vec![], deferred_bytes: 0 }
    }

    /// Notes a segment of which only the devices `listed` were added.
    pub(super) fn defer(&mut self, segment: &Segment<'_>, floor: u32, listed: DeviceNumbers) {
        self.deferred_bytes += listed.bytes();
        self.deferred.push(Deferred {
            file: Arc::clone(segment.file),
            rollup: Arc::clone(segment.rollup),
            type_name: segment.of_type.name().to_owned(),
            floor,
            listed,
        });
    }

    /// Memory held, about. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        self.groups.bytes() + self.deferred_bytes
    }

    /// Adds what another task has found.
    pub(super) fn merge(&mut self, other: Self) {
        self.groups.merge(&other.groups);
        self.left.extend(other.left);
        self.deferred.extend(other.deferred);
        self.deferred_bytes += other.deferred_bytes;
    }
}
