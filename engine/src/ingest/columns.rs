//! Which input column is which: matches by name, refuses what is missing, unknown or given twice. Looks at no row.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    buffer::NullBuffer,
    datatypes::DataType,
};

use super::{
    bad_rows::{shortened, wrong_type},
    spelling::{accepted_names, unknown_column},
};
use crate::{
    error::{EngineError, Result},
    schema::{ColumnRole, LOCATION, column},
};

/// One input column under the name that its sender knows.
#[derive(Debug, Clone)]
pub(super) struct InputColumn<'a> {
    /// The name for errors: as the sender spelled it, a struct's child as `location.lat`.
    pub(super) name: String,
    /// Its values.
    pub(super) array: &'a dyn Array,
    /// Nulls of the struct that holds it: a row that is null there is null here, whatever the child says.
    pub(super) parent_nulls: Option<&'a NullBuffer>,
}

/// The columns of a batch by their meaning.
#[derive(Debug)]
pub(super) struct InputColumns<'a> {
    pub(super) timestamp: InputColumn<'a>,
    pub(super) device_id: InputColumn<'a>,
    pub(super) event_type: InputColumn<'a>,
    pub(super) value: InputColumn<'a>,
    /// Latitude and longitude.
    pub(super) position: Option<(InputColumn<'a>, InputColumn<'a>)>,
    pub(super) metadata: Option<InputColumn<'a>>,
}

impl<'a> InputColumns<'a> {
    /// Matches the columns of a batch.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self> {
        if batch.num_columns() == 0 {
            let text = format!("batch has no columns; accepted: {}", accepted_names());
            return Err(EngineError::InvalidBatch(text));
        }
        let mut matched = Matched::default();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = field.name();
            if name.eq_ignore_ascii_case(column::H3) {
                let text = format!("column '{name}' is derived from latitude and longitude; leave it out");
                return Err(EngineError::InvalidBatch(text));
            }
            let column = InputColumn { name: shortened(name), array: array.as_ref(), parent_nulls: None };
            match ColumnRole::of(name) {
                Some(role) => matched.put(role, column)?,
                None if name.eq_ignore_ascii_case(LOCATION) => matched.put_location(&column)?,
                None => return Err(unknown_column(name)),
            }
        }
        matched.finish()
    }
}

/// Columns found so far, in the order they came.
#[derive(Debug, Default)]
struct Matched<'a> {
    found: Vec<(ColumnRole, InputColumn<'a>)>,
}

impl<'a> Matched<'a> {
    fn put(&mut self, role: ColumnRole, column: InputColumn<'a>) -> Result<()> {
        if let Some((_, earlier)) = self.found.iter().find(|(taken, _)| *taken == role) {
            return Err(EngineError::InvalidBatch(format!(
                "column '{}': the {} is given twice, also by column '{}'; send one of them",
                column.name,
                role.name(),
                earlier.name
            )));
        }
        self.found.push((role, column));
        Ok(())
    }

    fn put_location(&mut self, location: &InputColumn<'a>) -> Result<()> {
        let accepted = "a struct of latitude and longitude";
        if *location.array.data_type() == DataType::Null {
            self.put(ColumnRole::Latitude, location.clone())?;
            self.found.push((ColumnRole::Longitude, location.clone()));
            return Ok(());
        }
        let position = location
            .array
            .as_struct_opt()
            .ok_or_else(|| wrong_type(&location.name, location.array.data_type(), accepted))?;
        for (field, child) in position.fields().iter().zip(position.columns()) {
            let name = format!("{}.{}", location.name, shortened(field.name()));
            let role = ColumnRole::of(field.name()).filter(|role| role.is_half()).ok_or_else(|| {
                EngineError::InvalidBatch(format!("column '{name}' is unknown; send {accepted}"))
            })?;
            self.put(role, InputColumn { name, array: child.as_ref(), parent_nulls: position.nulls() })?;
        }
        if !self.has(ColumnRole::Latitude) && !self.has(ColumnRole::Longitude) {
            return Err(EngineError::InvalidBatch(format!(
                "column '{}' has no fields; send {accepted}",
                location.name
            )));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<InputColumns<'a>> {
        let position = match (self.take(ColumnRole::Latitude), self.take(ColumnRole::Longitude)) {
            (Some(latitude), Some(longitude)) => Some((latitude, longitude)),
            (None, None) => None,
            (Some(latitude), None) => return Err(half_position(&latitude, ColumnRole::Longitude)),
            (None, Some(longitude)) => return Err(half_position(&longitude, ColumnRole::Latitude)),
        };
        Ok(InputColumns {
            timestamp: self.require(ColumnRole::Timestamp)?,
            device_id: self.require(ColumnRole::DeviceId)?,
            event_type: self.require(ColumnRole::Type)?,
            value: self.require(ColumnRole::Value)?,
            position,
            metadata: self.take(ColumnRole::Metadata),
        })
    }

    fn has(&self, role: ColumnRole) -> bool {
        self.found.iter().any(|(taken, _)| *taken == role)
    }

    fn take(&mut self, role: ColumnRole) -> Option<InputColumn<'a>> {
        let index = self.found.iter().position(|(taken, _)| *taken == role)?;
        Some(self.found.swap_remove(index).1)
    }

    fn require(&mut self, role: ColumnRole) -> Result<InputColumn<'a>> {
        self.take(role).ok_or_else(|| {
            EngineError::InvalidBatch(format!(
                "column '{}' is missing; send {}",
                role.name(),
                role.described()
            ))
        })
    }
}

fn half_position(given: &InputColumn<'_>, missing: ColumnRole) -> EngineError {
    EngineError::InvalidBatch(format!(
        "column '{}' comes without a {}; send both or neither",
        given.name,
        missing.described()
    ))
}
