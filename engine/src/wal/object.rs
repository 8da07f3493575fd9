//! The bytes of a WAL object: what [`encode`] writes, [`decode`] checks and reads back. Pure; the store is elsewhere.
//!
//! ```text
//! 0       8  magic "HXFWAL01" (format version 1)
//! 8       4  h = length of the header, u32 little-endian
//! 12      4  0
//! 16      h  header: JSON, see `Header`
//! 16+h    .  zeros up to a multiple of 64
//! .       .  one Arrow IPC stream per table, in the header's order, each padded with zeros to a multiple of 64
//! n-16    8  n = length of the object, u64 little-endian
//! n-8     4  CRC32C of bytes 0 to n-8, u32 little-endian
//! n-4     4  magic "HXFE"
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    ipc::{reader::StreamDecoder, writer::StreamEncoder},
};
use bytes::Bytes;
use object_store::PutPayload;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::{EngineError, Result},
    ids::Ids,
    schema::{Sequence, StreamId, TableName},
};

const MAGIC: &[u8; 8] = b"HXFWAL01";
const END_MAGIC: &[u8; 4] = b"HXFE";
const PREFIX_BYTES: usize = 16;
const TRAILER_BYTES: usize = 16;

/// Sections start at multiples of this, so that Arrow buffers can be used where they lie.
const ALIGNMENT: usize = 64;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ObjectKind {
    /// A group commit.
    Commit,
    /// The end of a stream, put by whoever takes it over or closes it; holds no rows.
    Fence,
}

/// The header of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) kind: ObjectKind,
    pub(crate) stream: StreamId,
    pub(crate) sequence: Sequence,
    /// Random; tells one's own object from another's under the same key.
    pub(crate) put_id: Uuid,
    /// The tables whose rows follow.
    pub(crate) tables: Vec<TableSection>,
    /// Producer entries; none are written in this version.
    pub(crate) producers: Vec<serde_json::Value>,
    /// In a commit: every commit up to this one had landed when this one was cut. If one of them is missing, it was lost. Earlier
    /// builds did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) landed: Option<Sequence>,
}

/// One table's part of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableSection {
    pub(crate) table: TableName,
    pub(crate) rows: u64,
    pub(crate) batches: u64,
    /// Length of the Arrow IPC stream without its padding.
    pub(crate) bytes: u64,
}

/// A decoded object.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) header: Header,
    pub(crate) tables: Vec<(TableName, Vec<RecordBatch>)>,
}

impl Header {
    /// Rows of all tables.
    pub(crate) fn rows(&self) -> u64 {
        self.tables.iter().map(|section| section.rows).sum()
    }

    /// The header of a fence.
    pub(crate) fn fence(ids: &dyn Ids, stream: StreamId, sequence: Sequence) -> Self {
        Self {
            kind: ObjectKind::Fence,
            stream,
            sequence,
            put_id: ids.random(),
            tables: vec![],
            producers: vec![],
            landed: None,
        }
    }
}

/// Encodes a fence.
pub(crate) fn encode_fence(header: &Header) -> PutPayload {
    assemble(header, vec![])
}

/// Encodes a group commit of batches in the WAL schema; the payload shares the batches' buffers.
pub(crate) fn encode(
    ids: &dyn Ids,
    stream: StreamId,
    sequence: Sequence,
    landed: Sequence,
    tables: &[(TableName, Vec<RecordBatch>)],
) -> Result<(Uuid, PutPayload)> {
    let mut header =
        Header { kind: ObjectKind::Commit, landed: Some(landed), ..Header::fence(ids, stream, sequence) };
    let mut body = vec![];
    for (table, batches) in tables {
        let section = encode_section(table, batches, &mut body)?;
        header.tables.push(section);
    }
    Ok((header.put_id, assemble(&header, body)))
}

fn encode_section(table: &TableName, batches: &[RecordBatch], body: &mut Vec<Bytes>) -> Result<TableSection> {
    assert!(!batches.is_empty(), "a table section holds at least one batch");
    let mut encoder = StreamEncoder::try_new(batches[0].schema_ref())?;
    let mut length = 0;
    let mut rows = 0;
    for batch in batches {
        rows += batch.num_rows() as u64;
        push_buffers(encoder.encode(batch)?, body, &mut length);
    }
    push_buffers(encoder.finish()?, body, &mut length);
    let section =
        TableSection { table: table.clone(), rows, batches: batches.len() as u64, bytes: length as u64 };
    body.push(Bytes::from(vec![0; padding(length)]));
    Ok(section)
}

fn push_buffers(buffers: Vec<Buffer>, body: &mut Vec<Bytes>, length: &mut usize) {
    for buffer in buffers {
        *length += buffer.len();
        body.push(Bytes::from_owner(Shared(buffer)));
    }
}

/// Lets `Bytes` share an Arrow buffer.
struct Shared(Buffer);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

fn assemble(header: &Header, body: Vec<Bytes>) -> PutPayload {
    let json = serde_json::to_vec(header).expect("a header has a JSON form");
    let mut prefix = Vec::with_capacity(PREFIX_BYTES + json.len() + ALIGNMENT);
    prefix.extend_from_slice(MAGIC);
    prefix.extend_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    prefix.extend_from_slice(&[0; 4]);
    prefix.extend_from_slice(&json);
    prefix.resize(prefix.len() + padding(prefix.len()), 0);

    let mut chunks = Vec::with_capacity(body.len() + 2);
    chunks.push(Bytes::from(prefix));
    chunks.extend(body.into_iter().filter(|chunk| !chunk.is_empty()));
    let length = chunks.iter().map(Bytes::len).sum::<usize>() + TRAILER_BYTES;
    let length_bytes = (length as u64).to_le_bytes();
    let crc = chunks.iter().fold(0, |crc, chunk| crc32c::crc32c_append(crc, chunk));
    let crc = crc32c::crc32c_append(crc, &length_bytes);
    let mut trailer = Vec::with_capacity(TRAILER_BYTES);
    trailer.extend_from_slice(&length_bytes);
    trailer.extend_from_slice(&crc.to_le_bytes());
    trailer.extend_from_slice(END_MAGIC);
    chunks.push(Bytes::from(trailer));
    chunks.into_iter().collect()
}

fn padding(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT) - length
}

/// Checks an object as a whole and reads its header. `path` only names it in errors.
///
/// # Errors
/// `Corrupt` naming the check that failed.
pub(crate) fn decode_header(path: &str, object: &Bytes) -> Result<Header> {
    let corrupt = |detail: String| EngineError::Corrupt { path: path.to_owned(), detail };
    if object.len() < PREFIX_BYTES + TRAILER_BYTES {
        return Err(corrupt(format!("{} bytes are too short for a WAL object", object.len())));
    }
    if &object[..8] != MAGIC {
        return Err(corrupt(format!("magic is {:?}, not {:?}", &object[..8], MAGIC)));
    }
    let trailer = &object[object.len() - TRAILER_BYTES..];
    let stored_length = u64_at(trailer, 0);
    if stored_length != object.len() as u64 {
        return Err(corrupt(format!("stored length {stored_length}, found {}", object.len())));
    }
    if &trailer[12..] != END_MAGIC {
        return Err(corrupt(format!("end magic is {:?}, not {END_MAGIC:?}", &trailer[12..])));
    }
    let (stored, computed) = (u32_at(trailer, 8), crc32c::crc32c(&object[..object.len() - 8]));
    if stored != computed {
        return Err(corrupt(format!("checksum mismatch: stored {stored:08x}, computed {computed:08x}")));
    }
    let header_end = PREFIX_BYTES + u32_at(object, 8) as usize;
    let json = object.get(PREFIX_BYTES..header_end);
    let json = json.ok_or_else(|| corrupt(format!("header ends at {header_end}, beyond the object")))?;
    serde_json::from_slice(json).map_err(|error| corrupt(format!("header: {error}")))
}

/// Checks an object and reads its rows; they share the object's bytes where alignment allows.
///
/// # Errors
/// `Corrupt` naming the check that failed.
pub(crate) fn decode(path: &str, object: &Bytes) -> Result<Object> {
    let header = decode_header(path, object)?;
    let corrupt = |detail: String| EngineError::Corrupt { path: path.to_owned(), detail };
    let header_end = PREFIX_BYTES + u32_at(object, 8) as usize;
    let mut start = header_end.next_multiple_of(ALIGNMENT);
    let mut tables = vec![];
    for section in &header.tables {
        let length = usize::try_from(section.bytes).unwrap_or(usize::MAX);
        let end = start.saturating_add(length);
        if end > object.len() - TRAILER_BYTES {
            return Err(corrupt(format!("table {}: ends at {end}, beyond the object", section.table)));
        }
        let rows = object.slice(start..end);
        // arrow panics on offsets beyond a message; a checksum keeps chance out, and nothing else.
        let batches = catch_unwind(AssertUnwindSafe(|| decode_section(rows)))
            .map_err(|_| corrupt(format!("table {}: its rows break the format", section.table)))?
            .map_err(|error| corrupt(format!("table {}: {error}", section.table)))?;
        let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if rows != section.rows {
            return Err(corrupt(format!(
                "table {}: header says {} rows, found {rows}",
                section.table, section.rows
            )));
        }
        tables.push((section.table.clone(), batches));
        start = end.next_multiple_of(ALIGNMENT);
    }
    Ok(Object { header, tables })
}

fn decode_section(section: Bytes) -> Result<Vec<RecordBatch>, arrow::error::ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut buffer = Buffer::from(section);
    let mut batches = vec![];
    while let Some(batch) = decoder.decode(&mut buffer)? {
        batches.push(batch);
    }
    decoder.finish()?;
    Ok(batches)
}

/// The same with the magics, the length and the checksum of an object, whatever lies between.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn sealed(mut object: Vec<u8>) -> Vec<u8> {
    if object.len() < PREFIX_BYTES + TRAILER_BYTES {
        return object;
    }
    let (trailer, length) = (object.len() - TRAILER_BYTES, object.len() as u64);
    object[..MAGIC.len()].copy_from_slice(MAGIC);
    object[trailer..trailer + 8].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c(&object[..trailer + 8]);
    object[trailer + 8..trailer + 12].copy_from_slice(&crc.to_le_bytes());
    object[trailer + 12..].copy_from_slice(END_MAGIC);
    object
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{Int64Array, StringArray},
        datatypes::{DataType, Field, Schema},
    };

    use super::*;
    use crate::SystemIds;

    #[test]
    fn what_was_encoded_is_decoded() {
        let (stream, table) = (StreamId::generate(), TableName::new("events"));
        let batches = vec![batch(0, 3), batch(3, 1000)];
        let (put_id, payload) =
            encode(&SystemIds, stream, Sequence(7), Sequence(5), &[(table.clone(), batches.clone())])
                .unwrap();
        let object = decode("x", &Bytes::from(payload)).unwrap();
        assert_eq!(object.header.put_id, put_id);
        assert_eq!((object.header.stream, object.header.sequence), (stream, Sequence(7)));
        assert_eq!(object.header.landed, Some(Sequence(5)));
        assert_eq!(object.tables, vec![(table, batches)]);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let (_, payload) = encode(
            &SystemIds,
            StreamId::generate(),
            Sequence(1),
            Sequence::NONE,
            &[(TableName::new("events"), vec![batch(0, 5)])],
        )
        .unwrap();
        let good = Bytes::from(payload);
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << (at % 8);
            assert!(decode("x", &Bytes::from(bad)).is_err(), "flip at {at}");
            assert!(decode("x", &good.slice(..at)).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_fence_has_no_rows() {
        let header = Header::fence(&SystemIds, StreamId::generate(), Sequence(9));
        let object = decode("x", &Bytes::from(encode_fence(&header))).unwrap();
        assert_eq!(object.header, header);
        assert!(object.tables.is_empty());
    }

    fn batch(start: i64, rows: i64) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("text", DataType::Utf8, true),
        ]);
        let numbers = Int64Array::from_iter_values(start..start + rows);
        let text = StringArray::from_iter((start..start + rows).map(|n| (n % 3 > 0).then(|| n.to_string())));
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(text)]).unwrap()
    }
}
