//! `Deferred`: a segment of which only the devices that its rollup lists were added, and who of the others can still be among the first.

use std::sync::Arc;

use hexflight_engine::{DataFile, Rollup};

use super::{groups::Groups, top::Top};
use crate::cache::DeviceNumbers;

/// A segment of which only the devices that its rollup lists were added.
#[derive(Debug)]
pub(super) struct Deferred {
    pub(super) file: Arc<DataFile>,
    pub(super) rollup: Arc<Rollup>,
    pub(super) type_name: String,
    /// Devices with that many rows are listed.
    pub(super) floor: u32,
    pub(super) listed: DeviceNumbers,
}

/// Numbers of the devices that can be among the first, sorted; `None`: any can.
pub(super) fn candidates(top: &Top, groups: &Groups, deferred: &[Deferred]) -> Option<Arc<[u32]>> {
    let unlisted: u64 = deferred.iter().map(|deferred| u64::from(deferred.floor - 1)).sum();
    let last = top.last_count(groups).filter(|last| *last > unlisted)?;
    let can_be = groups.places().filter(|place| groups.states().count_of(*place) + unlisted >= last);
    let mut numbers: Vec<u32> = can_be.map(|place| groups.key(place).device).collect();
    numbers.sort_unstable();
    Some(numbers.into())
}

impl Deferred {
    /// Whether every one of `candidates` is listed.
    pub(super) fn lists_all(&self, candidates: &[u32]) -> bool {
        candidates.iter().all(|number| self.listed.holds(*number))
    }
}
