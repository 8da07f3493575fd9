//! Columns of a range of a file's rows, decoded into plain vectors: what raw rows are filtered and added up from.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, PrimitiveArray},
    datatypes::{
        ArrowPrimitiveType, DataType, Field, Float64Type, Int32Type, Int64Type, Schema, SchemaRef,
        TimestampMicrosecondType,
    },
};
use datafusion::error::{DataFusionError, Result};
use futures::TryStreamExt;
use hexflight_engine::{DataFile, EngineError, TableRole};
use parquet::{
    arrow::{
        ParquetRecordBatchStreamBuilder, ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector},
        async_reader::AsyncFileReader,
    },
    file::metadata::RowGroupMetaData,
};

use super::{
    DeviceNames, FileBytes,
    file_reader::{FileReader, named},
    reads::ReadRoom,
};

/// A column that is read by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ColumnKind {
    /// Timestamps. **Units**: µs since 1970.
    Time,
    /// Numbers of [`DeviceNames`].
    Device,
    /// Values.
    Value,
    /// NaN without a location. **Units**: degrees.
    Latitude,
    /// NaN without a location. **Units**: degrees.
    Longitude,
    /// Cells of the table's resolution; 0 without a location.
    Cell,
}

impl ColumnKind {
    pub(super) fn name(self) -> &'static str {
        let role = match self {
            Self::Time => TableRole::Time,
            Self::Device => TableRole::Device,
            Self::Value => TableRole::Value,
            Self::Latitude => TableRole::Latitude,
            Self::Longitude => TableRole::Longitude,
            Self::Cell => TableRole::Cell,
        };
        role.name()
    }

    /// Of a decoded value. **Units**: bytes.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Device => size_of::<u32>(),
            Self::Time | Self::Value | Self::Latitude | Self::Longitude | Self::Cell => size_of::<i64>(),
        }
    }
}

/// One decoded column.
#[derive(Debug, Clone)]
pub(crate) enum Column {
    /// Timestamps or cells.
    Integers(Arc<[i64]>),
    /// Values or degrees.
    Floats(Arc<[f64]>),
    /// Devices.
    Numbers(Arc<[u32]>),
}

impl Column {
    /// Memory held. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Integers(values) => size_of_val::<[i64]>(values),
            Self::Floats(values) => size_of_val::<[f64]>(values),
            Self::Numbers(values) => size_of_val::<[u32]>(values),
        }
    }
}

/// The columns of a range of rows that were asked for; the others are empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    pub(crate) times: Arc<[i64]>,
    pub(crate) devices: Arc<[u32]>,
    /// All numbers in `devices` are below this.
    pub(crate) device_count: usize,
    pub(crate) values: Arc<[f64]>,
    pub(crate) latitudes: Arc<[f64]>,
    pub(crate) longitudes: Arc<[f64]>,
    pub(crate) cells: Arc<[i64]>,
    /// Numbers of the rows' types, where rows of several types come together.
    pub(crate) types: Arc<[u32]>,
    /// Room for what was read, as long as somebody looks at it.
    pub(crate) room: Option<Arc<ReadRoom>>,
}

impl Columns {
    pub(super) fn set(&mut self, kind: ColumnKind, column: Column) {
        let place = match (kind, column) {
            (ColumnKind::Time, Column::Integers(values)) => return self.times = values,
            (ColumnKind::Cell, Column::Integers(values)) => return self.cells = values,
            (ColumnKind::Device, Column::Numbers(values)) => return self.devices = values,
            (ColumnKind::Value, Column::Floats(values)) => Some((&mut self.values, values)),
            (ColumnKind::Latitude, Column::Floats(values)) => Some((&mut self.latitudes, values)),
            (ColumnKind::Longitude, Column::Floats(values)) => Some((&mut self.longitudes, values)),
            _ => None,
        };
        let (column, values) = place.expect("a column is of the type of its kind");
        *column = values;
    }

    /// The values of a column in some rows.
    pub(super) fn picked(&self, kind: ColumnKind, rows: &[usize]) -> Column {
        match kind {
            ColumnKind::Time => Column::Integers(picked(&self.times, rows)),
            ColumnKind::Cell => Column::Integers(picked(&self.cells, rows)),
            ColumnKind::Value => Column::Floats(picked(&self.values, rows)),
            ColumnKind::Latitude => Column::Floats(picked(&self.latitudes, rows)),
            ColumnKind::Longitude => Column::Floats(picked(&self.longitudes, rows)),
            ColumnKind::Device => Column::Numbers(picked(&self.devices, rows)),
        }
    }
}

fn picked<T: Copy>(values: &[T], rows: &[usize]) -> Arc<[T]> {
    rows.iter().map(|row| values[*row]).collect()
}

/// Reads the footer of a file, with the places of its pages.
pub(super) async fn read_footer(
    bytes: &FileBytes,
    schema: &SchemaRef,
    file: &Arc<DataFile>,
) -> Result<ArrowReaderMetadata> {
    let metadata = FileReader::new(bytes, file).get_metadata(None).await?;
    let options = ArrowReaderOptions::new().with_schema(with_numbered_devices(schema));
    ArrowReaderMetadata::try_new(metadata, options).map_err(|error| named(file, error).into())
}

/// Devices stay in the dictionaries that the file holds them in: each name is looked at once.
fn with_numbered_devices(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match TableRole::of(field.name()) {
        Some(TableRole::Device) => {
            let numbered = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(Field::new(field.name(), numbered, field.is_nullable()))
        }
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Reads and decodes columns of ranges of rows, which are in order and apart from each other, all of them together.
pub(super) async fn read_columns(
    bytes: &FileBytes,
    file: &Arc<DataFile>,
    footer: ArrowReaderMetadata,
    rows: &[Range<u32>],
    kinds: &[ColumnKind],
    names: &DeviceNames,
) -> Result<Vec<Column>> {
    let mask = ProjectionMask::columns(footer.parquet_schema(), kinds.iter().map(|kind| kind.name()));
    let group_rows = footer.metadata().row_groups().iter().map(RowGroupMetaData::num_rows);
    let (row_groups, selection) = selection(group_rows, rows);
    let count = rows.iter().map(ExactSizeIterator::len).sum::<usize>();
    let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(FileReader::new(bytes, file), footer)
        .with_projection(mask)
        .with_row_groups(row_groups)
        .with_row_selection(selection)
        .with_batch_size(count.max(1))
        .build()
        .map_err(|error| named(file, error))?;
    let batches: Vec<_> = stream.try_collect().await.map_err(|error| named(file, error))?;
    let decoded = kinds.iter().map(|kind| {
        let arrays: Option<Vec<ArrayRef>> =
            batches.iter().map(|batch| batch.column_by_name(kind.name()).map(Arc::clone)).collect();
        let arrays = arrays.ok_or_else(|| wrong(file, *kind, "is missing"))?;
        if arrays.iter().map(|array| array.len()).sum::<usize>() != count {
            return Err(wrong(file, *kind, "has fewer rows than its rollup says"));
        }
        decode(*kind, &arrays, names).ok_or_else(|| wrong(file, *kind, "is of another type"))
    });
    decoded.collect()
}

fn wrong(file: &DataFile, kind: ColumnKind, what: &str) -> DataFusionError {
    let detail = format!("column {} {what}", kind.name());
    DataFusionError::External(Box::new(EngineError::Corrupt { path: file.location.to_string(), detail }))
}

/// The row groups, of so many rows each, that hold `rows`, and which of their rows those are.
fn selection(group_rows: impl Iterator<Item = i64>, rows: &[Range<u32>]) -> (Vec<usize>, RowSelection) {
    let (mut groups, mut selectors, mut start) = (vec![], vec![], 0);
    for (index, count) in group_rows.enumerate() {
        let end = start + usize::try_from(count).unwrap_or(0);
        let mut place = start;
        for range in rows {
            let (first, last) = (range.start as usize, range.end as usize);
            let (first, last) = (first.clamp(place, end), last.clamp(place, end));
            if first < last {
                selectors.push(RowSelector::skip(first - place));
                selectors.push(RowSelector::select(last - first));
                place = last;
            }
        }
        if place > start {
            groups.push(index);
            selectors.push(RowSelector::skip(end - place));
        }
        start = end;
    }
    (groups, RowSelection::from(selectors))
}

fn decode(kind: ColumnKind, arrays: &[ArrayRef], names: &DeviceNames) -> Option<Column> {
    Some(match kind {
        ColumnKind::Time => Column::Integers(joined(arrays, |array, out: &mut Vec<i64>| {
            out.extend_from_slice(array.as_primitive_opt::<TimestampMicrosecondType>()?.values());
            Some(())
        })?),
        ColumnKind::Cell => Column::Integers(joined(arrays, |array, out: &mut Vec<i64>| {
            append(array.as_primitive_opt::<Int64Type>()?, 0, out);
            Some(())
        })?),
        ColumnKind::Value => Column::Floats(joined(arrays, |array, out: &mut Vec<f64>| {
            out.extend_from_slice(array.as_primitive_opt::<Float64Type>()?.values());
            Some(())
        })?),
        ColumnKind::Latitude | ColumnKind::Longitude => {
            Column::Floats(joined(arrays, |array, out: &mut Vec<f64>| {
                append(array.as_primitive_opt::<Float64Type>()?, f64::NAN, out);
                Some(())
            })?)
        }
        ColumnKind::Device => {
            Column::Numbers(joined(arrays, |array, out: &mut Vec<u32>| number_devices(array, names, out))?)
        }
    })
}

/// Values, `null` where there is none.
fn append<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, null: T::Native, out: &mut Vec<T::Native>) {
    if array.null_count() == 0 {
        return out.extend_from_slice(array.values());
    }
    out.extend(array.iter().map(|value| value.unwrap_or(null)));
}

fn joined<T>(
    arrays: &[ArrayRef],
    mut append: impl FnMut(&ArrayRef, &mut Vec<T>) -> Option<()>,
) -> Option<Arc<[T]>> {
    let mut values = Vec::with_capacity(arrays.iter().map(|array| array.len()).sum());
    for array in arrays {
        append(array, &mut values)?;
    }
    Some(values.into())
}

/// A dictionary holds the names of its whole row group: only those that the rows use are numbered.
fn number_devices(array: &ArrayRef, names: &DeviceNames, out: &mut Vec<u32>) -> Option<()> {
    const UNKNOWN: u32 = u32::MAX;
    let array = array.as_dictionary_opt::<Int32Type>()?;
    let texts = array.values().as_string_opt::<i32>()?;
    let mut numbers = vec![UNKNOWN; texts.len()];
    let mut names = names.write();
    for key in array.keys().values() {
        let key = usize::try_from(*key).ok()?;
        let number = numbers.get_mut(key)?;
        if *number == UNKNOWN {
            *number = names.number(texts.value(key));
        }
        out.push(*number);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_selected_across_row_groups() {
        let selected = |rows: &[Range<u32>]| {
            let (groups, selection) = selection([10, 10, 5].into_iter(), rows);
            let mut place = 0;
            let mut found = vec![];
            for selector in selection.iter() {
                let next = place + selector.row_count;
                found.extend((place..next).filter(|_| !selector.skip));
                place = next;
            }
            // Back to rows of the file.
            let found: Vec<usize> = found.iter().map(|row| groups[row / 10] * 10 + row % 10).collect();
            (groups, found)
        };
        assert_eq!(selected(&[2..4, 8..12]), (vec![0, 1], vec![2, 3, 8, 9, 10, 11]));
        assert_eq!(selected(&[12..14, 22..25]), (vec![1, 2], vec![12, 13, 22, 23, 24]));
        assert_eq!(selected(&[5..20, 20..21]), (vec![0, 1, 2], (5..21).collect()));
        assert_eq!(selected(&[0..1, 24..25]), (vec![0, 2], vec![0, 24]));
    }
}
