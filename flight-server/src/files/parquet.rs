//! Parquet files: what their footer says, checked before anything is decoded, and their rows, row group by row group.

use std::{io, ops::Range, sync::Arc, time::Duration};

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
    file::metadata::ColumnChunkMetaData,
};
use tokio::runtime::Handle;

use super::{
    content::Content,
    mapping::{ColumnRules, Mapping},
    pages::PageSizes,
    rows::Rows,
};
use crate::arrival::{ArrivalMemory, Arrived};
use hexflight_engine::{ColumnRole, time};

const MAGIC: &[u8; 4] = b"PAR1";
const ENCRYPTED_MAGIC: &[u8; 4] = b"PARE";

/// Magic at both ends and the length of the footer.
const BYTES_MIN: u64 = 12;

/// Rows that are decoded at once.
const BATCH_ROWS_MAX: usize = 64 << 10;

/// Bytes that are decoded at once, as far as the average row of the row group and of its pages tells. **Units**: bytes.
const BATCH_BYTES_MAX: u64 = 32 << 20;

/// Largest page, once it is decompressed: a value is at most as long, and a small file can hold one of gigabytes. Writers make pages of about
/// 1 MiB. **Units**: bytes.
const PAGE_BYTES_MAX: u64 = 64 << 20;

/// Most that the pages of a row group take at once: of each column a dictionary and a page of values. **Units**: bytes.
const PAGES_BYTES_MAX: u64 = 128 << 20;

/// How long a reader waits for memory for its pages; others who read have it, and read on.
const PAGES_WAIT: Duration = Duration::from_secs(600);

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
    /// What the pages of all files may take together.
    memory: Option<Arc<ArrivalMemory>>,
}

/// The pages of a row group, of the columns that are read.
#[derive(Debug, Clone, Copy, Default)]
struct GroupPages {
    /// What they take at once. **Units**: bytes.
    held_bytes: u64,
    /// What a row takes where rows are largest. **Units**: bytes.
    row_bytes: u64,
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
        Ok(Self { metadata, mapping, projected, memory: None })
    }

    /// The same, with memory for its pages.
    pub(crate) fn with_memory(self, memory: Option<Arc<ArrivalMemory>>) -> Self {
        Self { memory, ..self }
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
            let pages = self.pages(content, group)?;
            let _held = self.hold(pages)?;
            let reader =
                self.reader(content, group, pages).map_err(|error| undecodable(group, &reason(&error)))?;
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

    /// Looks at the pages of a row group before any of them is decompressed.
    fn pages(&self, content: &Content, group: usize) -> Result<GroupPages, String> {
        let mask = self.mask();
        let columns = self.metadata.metadata().row_group(group).columns().iter().enumerate();
        let mut pages = GroupPages::default();
        for (_, column) in columns.filter(|(leaf, _)| mask.leaf_included(*leaf)) {
            let name = column.column_path().string();
            let sizes = page_sizes(content, column);
            let sizes = sizes.map_err(|error| undecodable(group, &format!("column '{name}': {error}")))?;
            let largest = sizes.data_bytes_max.max(sizes.dictionary_bytes_max);
            if largest > PAGE_BYTES_MAX {
                return Err(format!(
                    "row group {group}, column '{name}': a page has {largest} bytes once it is decompressed, at most {PAGE_BYTES_MAX}; \
                     write shorter values or smaller pages"
                ));
            }
            pages.held_bytes = pages.held_bytes.saturating_add(sizes.held_bytes());
            pages.row_bytes = pages.row_bytes.saturating_add(sizes.value_bytes_max);
        }
        if pages.held_bytes > PAGES_BYTES_MAX {
            return Err(format!(
                "row group {group}: the largest pages of its columns have {} bytes once they are decompressed, at most {PAGES_BYTES_MAX}; \
                 write smaller pages",
                pages.held_bytes
            ));
        }
        Ok(pages)
    }

    /// Waits for memory for pages. Blocking.
    fn hold(&self, pages: GroupPages) -> Result<Option<Arrived>, String> {
        let Some(memory) = &self.memory else { return Ok(None) };
        let bytes = usize::try_from(pages.held_bytes).unwrap_or(usize::MAX);
        let held = Arc::clone(memory).hold_until(bytes, time::now() + PAGES_WAIT);
        Handle::current().block_on(held).map(Some).map_err(|status| status.message().to_owned())
    }

    fn mask(&self) -> ProjectionMask {
        ProjectionMask::roots(self.metadata.parquet_schema(), self.mapping.columns_read())
    }

    fn reader(
        &self,
        content: &Content,
        group: usize,
        pages: GroupPages,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let mask = self.mask();
        let metadata = self.metadata.metadata().row_group(group);
        let leaves = metadata.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let bytes: u64 = leaves.map(|(_, column)| column.uncompressed_size().max(0).unsigned_abs()).sum();
        let row_bytes = bytes / metadata.num_rows().max(1).unsigned_abs() + 1;
        let batch_rows = BATCH_BYTES_MAX / row_bytes.max(pages.row_bytes);
        ParquetRecordBatchReaderBuilder::new_with_metadata(content.clone(), self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(usize::try_from(batch_rows).unwrap_or(1).clamp(1, BATCH_ROWS_MAX))
            .build()
    }
}

/// The sizes of a column chunk's pages.
fn page_sizes(content: &Content, column: &ColumnChunkMetaData) -> io::Result<PageSizes> {
    let first = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let chunk = u64::try_from(first).ok().zip(u64::try_from(column.compressed_size()).ok());
    let end = chunk.and_then(|(start, bytes)| Some((start, start.checked_add(bytes)?)));
    let (start, end) = end.ok_or(io::ErrorKind::InvalidData)?;
    PageSizes::read(content, start, end)
}

/// Says what is wrong with a file whose ends are not those of Parquet.
fn check_magic(content: &Content) -> Result<(), String> {
    use parquet::file::reader::Length;
    let bytes = content.len();
    if bytes == 0 {
        return Err("it is empty (0 bytes), not a Parquet file".to_owned());
    }
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
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
    renamed.or_else(|| ColumnRole::of(field.name())).is_some_and(ColumnRole::is_text)
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
