//! `SegmentDevices`: what a rollup says of devices, with their numbers instead of their names.

use std::sync::Arc;

use hexflight_engine::{DeviceIndex, NamedDevices, Sums};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct SegmentDevices {
    /// Devices and what they came to.
    pub(crate) listed: DeviceSums,
    /// Where devices have rows; `None`: not known.
    pub(crate) index: Option<Arc<DeviceIndex>>,
}

impl SegmentDevices {
    /// Of devices by their numbers.
    pub(super) fn new(devices: NamedDevices<u32>) -> Self {
        Self { listed: DeviceSums::new(devices.groups), index: devices.index.map(Arc::new) }
    }

    /// Memory held, about. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        self.listed.bytes() + self.index.as_ref().map_or(0, |index| index.bytes())
    }
}

/// What devices came to, in order of their numbers.
#[derive(Debug, Clone)]
pub(crate) struct DeviceSums {
    numbers: DeviceNumbers,
    sums: Arc<[Sums]>,
}

/// Numbers of devices, sorted.
#[derive(Debug, Clone)]
pub(crate) struct DeviceNumbers(Arc<[u32]>);

impl DeviceSums {
    fn new(mut numbered: Vec<(u32, Sums)>) -> Self {
        numbered.sort_unstable_by_key(|(number, _)| *number);
        let numbers = DeviceNumbers(numbered.iter().map(|(number, _)| *number).collect());
        Self { numbers, sums: numbered.into_iter().map(|(_, sums)| sums).collect() }
    }

    /// The devices alone, which take a tenth of the memory.
    pub(crate) fn numbers(&self) -> &DeviceNumbers {
        &self.numbers
    }

    /// What the device of a number came to, if it is listed.
    pub(crate) fn find(&self, number: u32) -> Option<Sums> {
        self.numbers.place(number).map(|place| self.sums[place])
    }

    /// Every device that is listed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Sums)> {
        self.numbers.iter().zip(self.sums.iter().copied())
    }

    /// Memory held. **Units**: bytes.
    fn bytes(&self) -> usize {
        self.numbers.bytes() + size_of_val::<[Sums]>(&self.sums)
    }
}

impl DeviceNumbers {
    /// Whether a device is among them.
    pub(crate) fn holds(&self, number: u32) -> bool {
        self.place(number).is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }

    /// Memory held. **Units**: bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[u32]>(&self.0)
    }

    fn place(&self, number: u32) -> Option<usize> {
        self.0.binary_search(&number).ok()
    }
}
