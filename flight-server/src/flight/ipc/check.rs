//! Checks what a batch message declares against the body it brought: every buffer inside the body, every length non-negative and
//! bounded, validity bitmaps as long as their columns, decompressed sizes bounded before anything is decompressed.

use arrow::{
    datatypes::{DataType, Field, UnionMode},
    ipc::{Buffer, CompressionType, FieldNode, RecordBatch},
};

use super::{Limits, lz4::decompressed_bytes_max};

/// Length prefix of a compressed buffer. **Source**: Arrow's `Message.fbs`, `BodyCompression`.
const LENGTH_PREFIX_BYTES: usize = 8;

/// Largest block of an LZ4 frame: how far a frame of honest length may seem to overshoot.
const LZ4_BLOCK_BYTES_MAX: u64 = 4 << 20;

/// Refuses a batch whose declared lengths do not fit its body or the limits.
pub(super) fn check_batch<'a>(
    batch: RecordBatch<'_>,
    fields: impl IntoIterator<Item = &'a Field>,
    body: &[u8],
    limits: Limits,
) -> Result<(), String> {
    let rows = count("rows", batch.length(), limits.rows_max)?;
    let codec = batch.compression().map(|compression| compression.codec());
    let buffers = batch.buffers().ok_or("the batch message has no buffer list")?;
    let lengths = check_buffers(buffers.iter(), codec, body, limits)?;
    let mut walk = Walk {
        nodes: batch.nodes().ok_or("the batch message has no node list")?.iter(),
        lengths: lengths.into_iter(),
        variadic: batch.variadicBufferCounts().into_iter().flatten().collect::<Vec<_>>().into_iter(),
        limits,
    };
    for field in fields {
        let length = walk.field(field)?;
        if length != rows {
            return Err(format!("column '{}' declares {length} rows, the batch {rows}", field.name()));
        }
    }
    if walk.variadic.next().is_some() {
        return Err("the batch message declares more view buffers than it has view columns".to_owned());
    }
    Ok(())
}

/// What the buffers of a compressed batch declare to become, all together. **Units**: bytes; 0 for one that is not compressed.
pub(super) fn decompressed_bytes(batch: RecordBatch<'_>, body: &[u8]) -> usize {
    if batch.compression().is_none() {
        return 0;
    }
    let declared = |buffer: &Buffer| {
        let prefix = slice_of(buffer, body)?.first_chunk::<LENGTH_PREFIX_BYTES>()?;
        usize::try_from(i64::from_le_bytes(*prefix)).ok()
    };
    batch.buffers().into_iter().flatten().filter_map(declared).fold(0, usize::saturating_add)
}

/// Checks every buffer against the body; returns their lengths once decompressed.
fn check_buffers<'a>(
    buffers: impl Iterator<Item = &'a Buffer>,
    codec: Option<CompressionType>,
    body: &[u8],
    limits: Limits,
) -> Result<Vec<usize>, String> {
    let mut total = 0_usize;
    let mut lengths = Vec::new();
    for (index, buffer) in buffers.enumerate() {
        let bytes = slice_of(buffer, body).ok_or_else(|| {
            format!(
                "buffer {index} declares {} bytes at offset {}, the body has {}",
                buffer.length(),
                buffer.offset(),
                body.len()
            )
        })?;
        let length = match codec {
            Some(codec) if !bytes.is_empty() => decompressed_length(bytes, codec, limits)
                .map_err(|detail| format!("buffer {index}: {detail}"))?,
            _ => bytes.len(),
        };
        total = total.saturating_add(length);
        if total > limits.body_bytes_max && codec.is_some() {
            return Err(too_large(limits));
        }
        lengths.push(length);
    }
    Ok(lengths)
}

fn slice_of<'a>(buffer: &Buffer, body: &'a [u8]) -> Option<&'a [u8]> {
    let start = usize::try_from(buffer.offset()).ok()?;
    let length = usize::try_from(buffer.length()).ok()?;
    body.get(start..start.checked_add(length)?)
}

/// The declared length of a compressed buffer, if the data behind it cannot grow beyond that.
fn decompressed_length(bytes: &[u8], codec: CompressionType, limits: Limits) -> Result<usize, String> {
    let Some((prefix, data)) = bytes.split_first_chunk::<LENGTH_PREFIX_BYTES>() else {
        return Err("a compressed buffer is shorter than its length prefix".to_owned());
    };
    let declared = i64::from_le_bytes(*prefix);
    // −1 says that the data follows as it is.
    if declared == -1 {
        return Ok(data.len());
    }
    let declared =
        u64::try_from(declared).map_err(|_| format!("a decompressed length of {declared} is declared"))?;
    let length = usize::try_from(declared).unwrap_or(usize::MAX);
    if length > limits.body_bytes_max {
        return Err(too_large(limits));
    }
    // zstd is given an output of the declared length and stops there; LZ4 is not.
    if codec == CompressionType::LZ4_FRAME && declared > 0 {
        let most = decompressed_bytes_max(data)?;
        if most > declared + LZ4_BLOCK_BYTES_MAX {
            return Err(format!("{declared} decompressed bytes are declared, the data can grow to {most}"));
        }
    }
    Ok(length)
}

fn too_large(limits: Limits) -> String {
    format!(
        "the message is larger than {} bytes once decompressed; send smaller batches",
        limits.body_bytes_max
    )
}

fn count(what: &str, declared: i64, max: usize) -> Result<usize, String> {
    match usize::try_from(declared) {
        Ok(length) if length <= max => Ok(length),
        Ok(length) => Err(format!("{length} {what} are more than the limit of {max}; send smaller batches")),
        Err(_) => Err(format!("{declared} {what} are declared")),
    }
}

/// Goes through nodes and buffers in the order in which arrow-ipc takes them.
struct Walk<N> {
    nodes: N,
    lengths: std::vec::IntoIter<usize>,
    variadic: std::vec::IntoIter<i64>,
    limits: Limits,
}

impl<'a, N: Iterator<Item = &'a FieldNode>> Walk<N> {
    /// Checks one column with its children; returns its length.
    fn field(&mut self, field: &Field) -> Result<usize, String> {
        let node =
            self.nodes.next().ok_or_else(|| format!("column '{}' is not in the message", field.name()))?;
        let length = count("values", node.length(), self.limits.rows_max)?;
        let nulls = count("nulls", node.null_count(), length)?;
        if matches!(field.data_type(), DataType::Null) {
            return Ok(length);
        }
        if let DataType::Union(_, mode) = field.data_type() {
            return self.union(field, *mode, length);
        }
        let validity_bytes = self.buffer(field)?;
        if nulls > 0 && validity_bytes.saturating_mul(8) < length {
            return Err(format!(
                "column '{}': a validity bitmap of {validity_bytes} bytes for {length} values",
                field.name()
            ));
        }
        for index in 0..self.value_buffers(field)? {
            let bytes = self.buffer(field)?;
            let width = if index == 0 { value_width(field.data_type()) } else { 1 };
            if bytes % width != 0 {
                return Err(format!(
                    "column '{}': {bytes} bytes are no whole number of values",
                    field.name()
                ));
            }
        }
        for child in children(field.data_type()) {
            self.field(child)?;
        }
        Ok(length)
    }

    /// Checks a union: no bitmap, a type id of a byte for each value, offsets if it is dense, then the members. Whether ids and
    /// offsets lead to a member is checked by arrow.
    fn union(&mut self, field: &Field, mode: UnionMode, length: usize) -> Result<usize, String> {
        let id_bytes = self.buffer(field)?;
        let offset_bytes =
            if mode == UnionMode::Dense { self.buffer(field)? } else { length.saturating_mul(4) };
        if id_bytes < length || offset_bytes / 4 < length {
            return Err(format!(
                "column '{}': the buffers of a union hold fewer than {length} values",
                field.name()
            ));
        }
        for member in children(field.data_type()) {
            self.field(member)?;
        }
        Ok(length)
    }

    fn buffer(&mut self, field: &Field) -> Result<usize, String> {
        self.lengths.next().ok_or_else(|| format!("column '{}' lacks a buffer", field.name()))
    }

    /// Buffers after the validity bitmap.
    fn value_buffers(&mut self, field: &Field) -> Result<usize, String> {
        Ok(match field.data_type() {
            DataType::Struct(_) => 0,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => 2,
            DataType::Utf8View | DataType::BinaryView => {
                let declared = self.variadic.next().unwrap_or(-1);
                1 + count("view buffers", declared, self.lengths.len())?
            }
            _ => 1,
        })
    }
}

/// Width of what the first buffer after the bitmap holds. **Units**: bytes; 1 for bits and text.
fn value_width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(_, _) => 4,
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList(_) => 8,
        DataType::Utf8View | DataType::BinaryView => 16,
        DataType::Dictionary(key, _) => value_width(key),
        other => other.primitive_width().unwrap_or(1),
    }
}

fn children(data_type: &DataType) -> Vec<&Field> {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(AsRef::as_ref).collect(),
        DataType::Union(members, _) => members.iter().map(|(_, member)| member.as_ref()).collect(),
        DataType::List(child) | DataType::LargeList(child) | DataType::Map(child, _) => vec![child],
        _ => Vec::new(),
    }
}
