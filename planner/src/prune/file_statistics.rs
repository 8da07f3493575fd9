//! Statistics of Parquet files from the Delta log, as DataFusion's pruning asks for them. What the log does not say is null.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Float64Array, Int64Array, StringViewArray, TimestampMicrosecondArray,
        UInt64Array,
    },
    datatypes::{DataType, SchemaRef, TimeUnit},
};
use datafusion::common::{Column, ScalarValue, pruning::PruningStatistics};
use hexflight_engine::{ColumnRange, DataFile, ScalarBound};

/// One container per file.
#[derive(Debug)]
pub(crate) struct FileStatistics<'a> {
    schema: SchemaRef,
    files: &'a [Arc<DataFile>],
}

impl<'a> FileStatistics<'a> {
    /// Statistics of `files` of a table with `schema`.
    pub(crate) fn new(schema: SchemaRef, files: &'a [Arc<DataFile>]) -> Self {
        Self { schema, files }
    }

    /// A bound of the wrong type counts as unknown.
    fn bounds(&self, column: &Column, side: Side) -> Option<ArrayRef> {
        let field = self.schema.field_with_name(&column.name).ok()?;
        let bounds =
            self.files.iter().map(|file| file.columns.get(&column.name).and_then(|range| side.of(range)));
        let array: ArrayRef = match field.data_type() {
            DataType::Int64 => Arc::new(bounds.map(|bound| bound.and_then(as_int)).collect::<Int64Array>()),
            DataType::Float64 => {
                Arc::new(bounds.map(|bound| bound.and_then(|b| side.as_float(b))).collect::<Float64Array>())
            }
            DataType::Utf8View => {
                Arc::new(bounds.map(|bound| bound.and_then(as_text)).collect::<StringViewArray>())
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => Arc::new(
                bounds
                    .map(|bound| bound.and_then(as_micros))
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone_opt(zone.clone()),
            ),
            _ => return None,
        };
        Some(array)
    }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Side::Min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Side::Max)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = |file: &DataFile| file.columns.get(&column.name)?.null_count;
        let nullable = self.schema.field_with_name(&column.name).ok()?.is_nullable();
        let counts = self.files.iter().map(|file| if nullable { known(file) } else { Some(0) });
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|file| file.row_count).collect::<UInt64Array>()))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// Which end of a range.
#[derive(Debug, Clone, Copy)]
enum Side {
    Min,
    Max,
}

impl Side {
    fn of(self, range: &ColumnRange) -> Option<&ScalarBound> {
        match self {
            Self::Min => range.min.as_ref(),
            Self::Max => range.max.as_ref(),
        }
    }

    /// Arrow orders −0 before +0, JSON and other writers do not: a zero is widened to take in both.
    fn as_float(self, bound: &ScalarBound) -> Option<f64> {
        match (bound, self) {
            (ScalarBound::Float(value), Self::Min) if *value == 0.0 => Some(-0.0),
            (ScalarBound::Float(value), Self::Max) if *value == 0.0 => Some(0.0),
            (ScalarBound::Float(value), _) => Some(*value),
            _ => None,
        }
    }
}

fn as_int(bound: &ScalarBound) -> Option<i64> {
    match bound {
        ScalarBound::Int(value) => Some(*value),
        _ => None,
    }
}

fn as_micros(bound: &ScalarBound) -> Option<i64> {
    match bound {
        ScalarBound::Micros(value) => Some(*value),
        _ => None,
    }
}

fn as_text(bound: &ScalarBound) -> Option<&str> {
    match bound {
        ScalarBound::Text(value) => Some(value),
        _ => None,
    }
}
