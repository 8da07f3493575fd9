//! `SegmentDevices`: what a rollup says of devices, with their numbers instead of their names.

use std::sync::Arc;

use hexflight_engine::{DeviceIndex, DeviceRollup, Sums};

use super::DeviceNames;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct SegmentDevices {
    /// Devices and what they came to.
    pub(crate) listed: DeviceSums,
    /// Where devices have rows; `None`: not known.
    pub(crate) index: Option<Arc<DeviceIndex>>,
}

impl SegmentDevices {
    pub(super) fn new(devices: DeviceRollup, names: &DeviceNames) -> Self {
        Self { listed: DeviceSums::new(&devices, names), index: devices.index.map(Arc::new) }
    }

    /// Memory held, about. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val::<[(u32, Sums)]>(&self.listed.0) + self.index.as_ref().map_or(0, |index| index.bytes())
    }
}

/// In order of the numbers.
#[derive(Debug, Clone)]
pub(crate) struct DeviceSums(Arc<[(u32, Sums)]>);

impl DeviceSums {
    fn new(devices: &DeviceRollup, names: &DeviceNames) -> Self {
        let mut names = names.write();
        let mut numbered: Vec<_> =
            devices.groups.iter().map(|group| (names.number(&group.device), group.sums)).collect();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        Self(numbered.into())
    }

    /// What the device of a number came to, if it is listed.
    pub(crate) fn find(&self, number: u32) -> Option<Sums> {
        let place = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(self.0[place].1)
    }

    /// Every device that is listed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u32, Sums)> {
        self.0.iter()
    }
}
