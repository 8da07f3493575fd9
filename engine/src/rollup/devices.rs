//! The rollup of a type by device: every device where that is much smaller than the rows, else those that have the most rows.

use std::cmp::Reverse;

use hashbrown::HashMap;

use super::{
    DeviceIndex, Sums,
    sections::to_u32,
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

/// What a rollup says of the devices of a type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeviceRollup {
    /// Devices and what they came to, in order of their names.
    pub groups: Vec<DeviceGroup>,
    /// Where devices have rows, listed or not; `None`: not known.
    pub index: Option<DeviceIndex>,
}

/// As [`DeviceRollup`], with what the caller has for a name in its place.
#[derive(Debug)]
pub struct NamedDevices<D> {
    /// Devices and what they came to, in order of their names.
    pub groups: Vec<(D, Sums)>,
    /// Where devices have rows, listed or not; `None`: not known.
    pub index: Option<DeviceIndex>,
}

impl<D> Default for NamedDevices<D> {
    fn default() -> Self {
        Self { groups: vec![], index: None }
    }
}

/// Devices of a type beyond which none is listed: they would take too much memory while they are added up.
const DEVICES_MAX: usize = 1 << 18;
/// Where not every device is listed, one group stands for this many rows of the type, about.
const ROWS_PER_GROUP: usize = 256;
/// Where not every device is listed, those listed have this many rows or more.
const FLOOR_MIN: u64 = 16;

/// Adds up rows in any order.
#[derive(Debug, Default)]
pub(super) struct DeviceBuilder {
    groups: HashMap<String, Sums>,
    given_up: bool,
}

/// The devices that are listed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Devices {
    /// In order of their names.
    pub(super) groups: Vec<DeviceGroup>,
    /// Every device that has this many rows is among them; 0: nothing is known of devices.
    pub(super) floor: u32,
}

impl DeviceBuilder {
    /// Adds neighbouring rows of one device.
    pub(super) fn push(&mut self, device: &str, sums: &Sums) {
        if self.given_up {
            return;
        }
        if let Some(held) = self.groups.get_mut(device) {
            held.merge(sums);
        } else if self.groups.len() < DEVICES_MAX {
            self.groups.insert(device.to_owned(), *sums);
        } else {
            *self = Self { given_up: true, ..Self::default() };
        }
    }

    /// All devices if each stands for `rows_per_device_min` of the `rows` on average, else the largest.
    pub(super) fn finish(self, rows: usize, rows_per_device_min: usize) -> Devices {
        if self.given_up {
            return Devices::default();
        }
        let all = self.groups.len() * rows_per_device_min <= rows;
        let floor = if all { 1 } else { floor_of(&self.groups, rows / ROWS_PER_GROUP) };
        let listed = self.groups.into_iter().filter(|(_, sums)| sums.count >= floor);
        let mut groups: Vec<_> = listed.map(|(device, sums)| DeviceGroup { device, sums }).collect();
        groups.sort_unstable_by(|a, b| a.device.cmp(&b.device));
        Devices { groups, floor: u32::try_from(floor).unwrap_or(u32::MAX) }
    }
}

/// The smallest number of rows that at most `count` devices have.
fn floor_of(groups: &HashMap<String, Sums>, count: usize) -> u64 {
    let mut counts: Vec<u64> = groups.values().map(|sums| sums.count).collect();
    if count >= counts.len() {
        return FLOOR_MIN;
    }
    let (_, next, _) = counts.select_nth_unstable_by_key(count, |rows| Reverse(*rows));
    (*next + 1).max(FLOOR_MIN)
}

impl DeviceRollup {
    pub(super) fn entries(&self) -> usize {
        self.groups.len() + self.index.as_ref().map_or(0, DeviceIndex::entries)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u32(to_u32(self.groups.len()));
        self.groups.iter().for_each(|group| writer.text(&group.device));
        writer.sums(self.groups.iter().map(|group| &group.sums));
        if let Some(index) = &self.index {
            index.write(writer);
        }
    }
}

impl<D> NamedDevices<D> {
    /// Reads what is known of the devices of a type of `rows` rows; `named` returns something for each name.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        entries: usize,
        rows: u32,
        named: impl FnOnce(&[&str]) -> Vec<D>,
    ) -> Result<Self> {
        let listed = reader.u32()? as usize;
        let names = (0..listed).map(|_| reader.text()).collect::<Result<Vec<_>>>()?;
        let groups = named(&names).into_iter().zip(reader.sums(listed)?).collect();
        let index = match entries.saturating_sub(listed) {
            0 => None,
            entries => Some(DeviceIndex::read(reader, entries, rows)?),
        };
        Ok(Self { groups, index })
    }
}

impl From<NamedDevices<String>> for DeviceRollup {
    fn from(devices: NamedDevices<String>) -> Self {
        let groups = devices.groups.into_iter().map(|(device, sums)| DeviceGroup { device, sums });
        Self { groups: groups.collect(), index: devices.index }
    }
}
