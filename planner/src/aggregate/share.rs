//! `Share`: what one task has found of the files that it was given.

use std::sync::Arc;

use hexflight_engine::DataFile;

use super::{groups::Groups, leaders::Deferred, work::Segment};
use crate::cache::DeviceSums;

/// See the module.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) groups: Groups,
    /// Files that have no rollup that can be used: their rows are in no group.
    pub(super) left: Vec<Arc<DataFile>>,
    /// Segments of which only the devices with many rows are in the groups.
    pub(super) deferred: Vec<Deferred>,
}

impl Share {
    pub(super) fn new(groups: Groups) -> Self {
        Self { groups, left: vec![], deferred: vec![] }
    }

    /// Notes a segment of which only the devices `listed` were added.
    pub(super) fn defer(&mut self, segment: &Segment<'_>, floor: u32, listed: DeviceSums) {
        self.deferred.push(Deferred {
            file: Arc::clone(segment.file),
            rollup: Arc::clone(segment.rollup),
            type_name: segment.of_type.name().to_owned(),
            floor,
            listed,
        });
    }

    /// Adds what another task has found.
    pub(super) fn merge(&mut self, other: Self) {
        self.groups.merge(&other.groups);
        self.left.extend(other.left);
        self.deferred.extend(other.deferred);
    }
}
