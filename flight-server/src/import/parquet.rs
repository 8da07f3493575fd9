//! Parquet files: what their footer says, checked before anything is decoded, and their rows, row group by row group.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder,
        },
    },
    basic::Type as PhysicalType,
    errors::ParquetError,
};

use super::{
    column::Column,
    content::Content,
    mapping::{ColumnRules, Mapping},
    rows::Rows,
};

const MAGIC: &[u8; 4] = b"PAR1";
const ENCRYPTED_MAGIC: &[u8; 4] = b"PARE";

/// Magic at both ends and the length of the footer.
const BYTES_MIN: u64 = 12;

/// Rows that are decoded at once.
const BATCH_ROWS_MAX: usize = 64 << 10;

/// Bytes that are decoded at once, as far as the average row of the row group tells. **Units**: bytes.
const BATCH_BYTES_MAX: i64 = 32 << 20;

/// Text that goes on as one batch. **Units**: bytes.
const PORTION_TEXT_MAX: usize = 8 << 20;

/// Rows of one unit of work, as long as row groups are not larger: two readers share even a file of middling size.
const UNIT_ROWS: i64 = 256 << 10;

/// A Parquet file whose columns are mapped.
#[derive(Debug, Clone)]
pub(crate) struct ParquetFile {
    metadata: ArrowReaderMetadata,
    /// Columns by their place in the file.
    pub(crate) mapping: Mapping,
    /// Columns by their place among those that are read.
    projected: Mapping,
}

/// A run of row groups.
#[derive(Debug, Clone)]
pub(crate) struct RowGroups {
    groups: Range<usize>,
    first_row: usize,
}

impl ParquetFile {
    /// Reads the footer and maps the columns; the error is a reason to be put behind the name of the file.
    pub(crate) fn open(content: &Content, rules: &ColumnRules) -> Result<Self, String> {
        check_magic(content)?;
        let unreadable = |error: ParquetError| format!("its footer cannot be read: {}", reason(&error));
        let metadata = ArrowReaderMetadata::load(content, ArrowReaderOptions::new()).map_err(unreadable)?;
        let hinted = hinted_schema(&metadata, rules);
        let options = ArrowReaderOptions::new().with_schema(Arc::new(hinted));
        let metadata =
            ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(unreadable)?;
        let mapping = Mapping::of_schema(metadata.schema(), rules)?;
        let projected = mapping.projected();
        Ok(Self { metadata, mapping, projected })
    }

    /// Pieces that can be read at the same time.
    pub(crate) fn units(&self) -> Vec<RowGroups> {
        let mut units: Vec<RowGroups> = Vec::new();
        let (mut first_row, mut unit_rows) = (0_usize, 0);
        for (index, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let rows = group.num_rows().max(0);
            match units.last_mut().filter(|_| unit_rows + rows <= UNIT_ROWS) {
                Some(unit) => {
                    unit.groups.end = index + 1;
                    unit_rows += rows;
                }
                None => {
                    units.push(RowGroups { groups: index..index + 1, first_row });
                    unit_rows = rows;
                }
            }
            first_row = first_row.saturating_add(usize::try_from(rows).unwrap_or(usize::MAX));
        }
        units
    }

    /// Reads a piece and hands its batches to `take` until that says false. Blocking.
    pub(crate) fn read(
        &self,
        content: &Content,
        unit: &RowGroups,
        mut take: impl FnMut(Rows) -> bool,
    ) -> Result<(), String> {
        let mut row = unit.first_row;
        for group in unit.groups.clone() {
            let bytes = self
                .metadata
                .metadata()
                .row_groups()
                .get(group)
                .map_or(0, |group| u64::try_from(group.compressed_size().max(0)).unwrap_or(0));
            let group_rows = self.metadata.metadata().row_group(group).num_rows().max(1).unsigned_abs();
            let reader = self.reader(content, group).map_err(|error| undecodable(group, &reason(&error)))?;
            for batch in reader {
                let batch = batch.map_err(|error| undecodable(group, &error.to_string()))?;
                for portion in portions(batch) {
                    let share = bytes * portion.num_rows() as u64 / group_rows;
                    let rows = self.projected.apply(&portion, row, share, Vec::new());
                    row += portion.num_rows();
                    if !take(rows.map_err(|error| undecodable(group, &error.to_string()))?) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn reader(&self, content: &Content, group: usize) -> Result<ParquetRecordBatchReader, ParquetError> {
        let parquet_schema = self.metadata.parquet_schema();
        let mask = ProjectionMask::roots(parquet_schema, self.mapping.columns_read());
        let metadata = self.metadata.metadata().row_group(group);
        let leaves = metadata.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let bytes: i64 = leaves.map(|(_, column)| column.uncompressed_size().max(0)).sum();
        let row_bytes = bytes / metadata.num_rows().max(1) + 1;
        let batch_rows = usize::try_from(BATCH_BYTES_MAX / row_bytes).unwrap_or(1);
        ParquetRecordBatchReaderBuilder::new_with_metadata(content.clone(), self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(batch_rows.clamp(1, BATCH_ROWS_MAX))
            .build()
    }
}

/// Says what is wrong with a file whose ends are not those of Parquet.
fn check_magic(content: &Content) -> Result<(), String> {
    use parquet::file::reader::Length;
    let bytes = content.len();
    if bytes == 0 {
        return Err("it is empty (0 bytes), not a Parquet file".to_owned());
    }
    let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
    let head = content.read_exact(0, 4.min(usize::try_from(bytes).unwrap_or(4))).map_err(unreadable)?;
    if head == ENCRYPTED_MAGIC {
        return Err("it is encrypted (magic PARE); decrypt it first".to_owned());
    }
    if head != MAGIC {
        return Err(format!("not a Parquet file: it begins with {}, not with PAR1", shown(&head)));
    }
    let tail =
        if bytes < BYTES_MIN { Vec::new() } else { content.read_exact(bytes - 4, 4).map_err(unreadable)? };
    if tail == ENCRYPTED_MAGIC {
        return Err("it is encrypted (magic PARE); decrypt it first".to_owned());
    }
    if tail != MAGIC {
        return Err(format!(
            "it is truncated: a Parquet file ends with PAR1, this one after {bytes} bytes with {}",
            shown(&tail)
        ));
    }
    Ok(())
}

fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn undecodable(group: usize, reason: &str) -> String {
    format!("row group {group} cannot be decoded, the file is damaged or encrypted: {reason}")
}

/// Without the prefix by which the crate names the kind of error.
fn reason(error: &ParquetError) -> String {
    let text = error.to_string();
    text.strip_prefix("Parquet error: ").map_or_else(|| text.clone(), str::to_owned)
}

/// The schema to read with: text as views, which share the bytes of a dictionary instead of repeating them; INT96 as µs, because
/// as ns, the crate's default, times before 1677 and after 2262 would wrap around.
fn hinted_schema(metadata: &ArrowReaderMetadata, rules: &ColumnRules) -> Schema {
    let found = metadata.schema();
    let roots = metadata.parquet_schema().root_schema().get_fields();
    let hinted = |(index, field): (usize, &Arc<Field>)| {
        let is_int96 = roots
            .get(index)
            .is_some_and(|root| root.is_primitive() && root.get_physical_type() == PhysicalType::INT96);
        let data_type = match field.data_type() {
            DataType::Timestamp(..) if is_int96 => DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Dictionary(_, values) => match values.as_ref() {
                DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
                other => other.clone(),
            },
            // Some writers do not say that their text is text.
            DataType::Binary | DataType::LargeBinary if fills_text(field, rules) => DataType::Utf8View,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    };
    Schema::new(found.fields().iter().enumerate().map(hinted).collect::<Vec<_>>())
}

/// Whether a column is meant to be text of the table.
fn fills_text(field: &Field, rules: &ColumnRules) -> bool {
    let mut renamed = rules.renamed.iter().filter(|(_, name)| name.eq_ignore_ascii_case(field.name()));
    let renamed = renamed.next().map(|(column, _)| *column);
    renamed.or_else(|| Column::of(field.name())).is_some_and(Column::is_text)
}

/// Halves a batch until the text of each part is short enough to be copied.
fn portions(batch: RecordBatch) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    let text: usize = batch.columns().iter().map(|column| text_bytes(column.as_ref())).sum();
    if rows <= 1 || text <= PORTION_TEXT_MAX {
        return vec![batch];
    }
    let mut halves = portions(batch.slice(0, rows / 2));
    halves.append(&mut portions(batch.slice(rows / 2, rows - rows / 2)));
    halves
}

fn text_bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        // The low half of a view is the length of its text.
        DataType::Utf8View => array.as_string_view().lengths().map(|length| length as usize).sum(),
        DataType::Struct(_) | DataType::Map(..) | DataType::List(_) | DataType::LargeList(_) => {
            array.to_data().get_slice_memory_size().unwrap_or(0)
        }
        _ => 0,
    }
}
