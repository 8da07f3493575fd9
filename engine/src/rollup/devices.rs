//! The rollup of a type by device, kept where it is much smaller than the rows.

use hashbrown::HashMap;

use super::{
    Sums,
    wire::{Reader, Writer},
};
use crate::error::Result;

/// The events of one type from one device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceGroup {
    /// The device.
    pub device: String,
    /// Their values.
    pub sums: Sums,
}

/// Devices from which on it is asked whether they are worth it.
const DEVICES_PROBE: usize = 4_096;

/// Adds up rows in any order; gives up when there are too many devices.
#[derive(Debug, Default)]
pub(super) struct DeviceBuilder {
    groups: HashMap<String, Sums>,
    rows: u64,
    given_up: bool,
}

impl DeviceBuilder {
    /// Of a type that is known not to be worth it.
    pub(super) fn given_up() -> Self {
        Self { given_up: true, ..Self::default() }
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Adds neighbouring rows of one device.
    pub(super) fn push(&mut self, device: &str, sums: &Sums) {
        if self.given_up {
            return;
        }
        self.rows += sums.count;
        match self.groups.get_mut(device) {
            Some(held) => held.merge(sums),
            None => {
                self.groups.insert(device.to_owned(), *sums);
                let devices = self.groups.len();
                if devices >= DEVICES_PROBE && (devices * 4) as u64 > self.rows {
                    *self = Self::given_up();
                }
            }
        }
    }

    /// In order of the devices' names.
    pub(super) fn finish(self) -> Vec<DeviceGroup> {
        let mut groups: Vec<DeviceGroup> =
            self.groups.into_iter().map(|(device, sums)| DeviceGroup { device, sums }).collect();
        groups.sort_unstable_by(|a, b| a.device.cmp(&b.device));
        groups
    }
}

pub(super) fn write(groups: &[DeviceGroup], writer: &mut Writer) {
    groups.iter().for_each(|group| writer.text(&group.device));
    writer.sums(groups.iter().map(|group| &group.sums));
}

pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Vec<DeviceGroup>> {
    let devices = (0..count).map(|_| reader.text()).collect::<Result<Vec<_>>>()?;
    let sums = reader.sums(count)?;
    Ok(devices.into_iter().zip(sums).map(|(device, sums)| DeviceGroup { device, sums }).collect())
}
