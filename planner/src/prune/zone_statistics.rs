//! Zone maps of memory batches as DataFusion's pruning asks for them: exact ranges of time and H3, and the set of types.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, BooleanArray, Int64Array, StringViewArray, TimestampMicrosecondArray, UInt64Array},
    datatypes::SchemaRef,
};
use datafusion::common::{Column, ScalarValue, pruning::PruningStatistics};
use hexflight_engine::{TableRole, ZoneMap};

/// One container per zone map.
#[derive(Debug)]
pub(crate) struct ZoneStatistics<'a> {
    schema: SchemaRef,
    zones: Vec<&'a ZoneMap>,
}

impl<'a> ZoneStatistics<'a> {
    /// Statistics of batches of a table with `schema`.
    pub(crate) fn new(schema: SchemaRef, zones: Vec<&'a ZoneMap>) -> Self {
        Self { schema, zones }
    }

    fn timestamps(&self, bound: impl Fn(&ZoneMap) -> i64) -> Option<ArrayRef> {
        let zone = self.schema.field_with_name(TableRole::Time.name()).ok()?.data_type().clone();
        let values: TimestampMicrosecondArray = self.zones.iter().map(|zone| Some(bound(zone))).collect();
        Some(Arc::new(values.with_data_type(zone)))
    }

    fn cells(&self, bound: impl Fn((i64, i64)) -> i64) -> ArrayRef {
        Arc::new(self.zones.iter().map(|zone| zone.h3.map(&bound)).collect::<Int64Array>())
    }

    fn types(&self, bound: impl Fn(&BTreeSet<String>) -> Option<&String>) -> ArrayRef {
        let bounds = self.zones.iter().map(|zone| zone.types.as_ref().and_then(&bound));
        Arc::new(bounds.collect::<StringViewArray>())
    }
}

impl PruningStatistics for ZoneStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        match TableRole::of(&column.name)? {
            TableRole::Time => self.timestamps(|zone| zone.timestamp.0),
            TableRole::Cell => Some(self.cells(|range| range.0)),
            TableRole::Type => Some(self.types(BTreeSet::first)),
            _ => None,
        }
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        match TableRole::of(&column.name)? {
            TableRole::Time => self.timestamps(|zone| zone.timestamp.1),
            TableRole::Cell => Some(self.cells(|range| range.1)),
            TableRole::Type => Some(self.types(BTreeSet::last)),
            _ => None,
        }
    }

    fn num_containers(&self) -> usize {
        self.zones.len()
    }

    /// A batch in which no row has a location has only nulls in `h3`; how many there are otherwise is not kept.
    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let nullable = self.schema.field_with_name(&column.name).ok()?.is_nullable();
        let counts = self.zones.iter().map(|zone| match nullable {
            false => Some(0),
            true if TableRole::of(&column.name) == Some(TableRole::Cell) && zone.h3.is_none() => {
                count(zone.row_count)
            }
            true => None,
        });
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.zones.iter().map(|zone| count(zone.row_count)).collect::<UInt64Array>()))
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        if TableRole::of(&column.name) != Some(TableRole::Type) {
            return None;
        }
        let asked: BTreeSet<&str> =
            values.iter().map(|value| value.try_as_str().flatten()).collect::<Option<_>>()?;
        Some(self.zones.iter().map(|zone| contained(zone.types.as_ref()?, &asked)).collect())
    }
}

/// `true`: every row's type is asked for; `false`: none is; `None`: some are.
fn contained(types: &BTreeSet<String>, asked: &BTreeSet<&str>) -> Option<bool> {
    let found = types.iter().filter(|value| asked.contains(value.as_str())).count();
    match found {
        0 => Some(false),
        all if all == types.len() => Some(true),
        _ => None,
    }
}

fn count(rows: usize) -> Option<u64> {
    u64::try_from(rows).ok()
}
