//! `BatchDecoder`: one `DoPut` stream's messages → schema, dictionaries, batches. Everything is checked before arrow-ipc sees it; a
//! panic that slips through is caught and becomes an error of that message.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, downcast_dictionary_array},
    buffer::Buffer,
    datatypes::{ArrowNativeType, DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::{
        MessageHeader, MetadataVersion, convert::fb_to_schema, reader::read_dictionary,
        reader::read_record_batch, root_as_message,
    },
};
use arrow_flight::FlightData;
use bytes::Bytes;
use tonic::Status;

use super::{DecodeMemory, Limits, check::check_batch, check_schema::check_schema, memory::expanded_bytes};
use crate::arrival::{Arrived, FREE_BYTES, WAIT};
use hexflight_engine::{
    tasks,
    time::{self, Instant},
};

/// Bodies from this size on are decoded off the I/O threads: 8 MiB take about 5 ms.
const OFFLOAD_BYTES_MIN: usize = 8 << 20;

/// Text of a column that needs no closer look. **Units**: bytes.
const SMALL_BYTES: usize = 1 << 20;

/// Dictionaries of one stream.
const DICTIONARIES_MAX: usize = 256;

/// Dictionaries of a stream that need no memory of their own. **Units**: bytes.
const DICTIONARIES_FREE_BYTES: usize = 64 << 10;

/// Why a message was not decoded; the text is for the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// It is not what it must be.
    #[error("{0}")]
    Malformed(String),
    /// There is no memory for what it becomes.
    #[error("{}", .0.message())]
    NoMemory(Box<Status>),
}

impl From<DecodeError> for Status {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Malformed(text) => Self::invalid_argument(text),
            DecodeError::NoMemory(status) => *status,
        }
    }
}

/// What a message brought.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A batch of that schema.
    Batch(RecordBatch),
    /// Nothing to act on: the schema, a dictionary, or metadata alone.
    Nothing,
}

/// Decoder of one stream.
#[derive(Debug)]
pub(crate) struct BatchDecoder {
    limits: Limits,
    takes_unions: bool,
    schema: Option<SchemaRef>,
    dictionaries: HashMap<i64, ArrayRef>,
    /// Where memory for what messages become is taken from.
    memory: Option<DecodeMemory>,
    /// Of the message that was decoded last; its reader has it until he asks for the next one.
    last_held: Option<Arrived>,
    dictionaries_held: Option<Arrived>,
}

impl BatchDecoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            takes_unions: false,
            schema: None,
            dictionaries: HashMap::new(),
            memory: None,
            last_held: None,
            dictionaries_held: None,
        }
    }

    /// The same, with memory for what messages become.
    pub(crate) fn with_memory(self, memory: &DecodeMemory) -> Self {
        Self { memory: Some(memory.clone()), ..self }
    }

    /// Parts with the memory of the last message, for a reader who has several at once.
    pub(crate) fn take_held(&mut self) -> Option<Arrived> {
        self.last_held.take()
    }

    /// The same, also taking unions of plain values.
    pub(crate) fn taking_unions(self) -> Self {
        Self { takes_unions: true, ..self }
    }

    /// Decodes the next message of the stream; waits for memory for what it becomes, as long as messages wait.
    ///
    /// # Errors
    /// `NoMemory` when there is none in time, or none for its dictionary.
    pub(crate) async fn decode(&mut self, data: FlightData) -> Result<Decoded, DecodeError> {
        self.decode_by(data, time::now() + WAIT).await
    }

    /// As [`Self::decode`], with a deadline for memory.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub(crate) async fn decode_by(
        &mut self,
        data: FlightData,
        deadline: Instant,
    ) -> Result<Decoded, DecodeError> {
        self.last_held = None;
        let Some(memory) = self.memory.clone() else { return self.decode_anywhere(data, 0).await };
        // More than a body may become is refused before anything is made of it.
        let bytes = expanded_bytes(&data).min(self.limits.body_bytes_max);
        if bytes > FREE_BYTES {
            let held = Arc::clone(&memory.batches).hold_until(bytes, deadline).await;
            self.last_held = Some(held.map_err(|status| DecodeError::NoMemory(Box::new(status)))?);
        }
        let decoded = self.decode_anywhere(data, bytes).await?;
        self.hold_dictionaries(&memory)?;
        Ok(decoded)
    }

    /// Holds what the dictionaries take now.
    fn hold_dictionaries(&mut self, memory: &DecodeMemory) -> Result<(), DecodeError> {
        let bytes = self.dictionary_bytes().saturating_sub(DICTIONARIES_FREE_BYTES);
        if self.dictionaries_held.as_ref().map_or(0, Arrived::asked) == bytes {
            return Ok(());
        }
        self.dictionaries_held = None;
        if bytes > 0 {
            let held = memory.dictionaries.try_hold(bytes);
            let refusal = || DecodeError::NoMemory(Box::new(memory.dictionaries.refusal(bytes)));
            self.dictionaries_held = Some(held.ok_or_else(refusal)?);
        }
        Ok(())
    }

    /// Decodes a message; one that is large, or becomes so, on a blocking thread.
    async fn decode_anywhere(&mut self, data: FlightData, expanded: usize) -> Result<Decoded, DecodeError> {
        if data.data_body.len().max(expanded) < OFFLOAD_BYTES_MIN {
            return self.decode_here(&data);
        }
        let mut moved = Self {
            limits: self.limits,
            takes_unions: self.takes_unions,
            schema: self.schema.clone(),
            dictionaries: std::mem::take(&mut self.dictionaries),
            memory: self.memory.take(),
            last_held: self.last_held.take(),
            dictionaries_held: self.dictionaries_held.take(),
        };
        let work = tasks::spawn_blocking(move || {
            let decoded = moved.decode_here(&data);
            (moved, decoded)
        });
        let (moved, decoded) = work.await.map_err(|error| DecodeError::Malformed(error.to_string()))?;
        *self = moved;
        decoded
    }

    /// Decodes the next message of the stream.
    pub(crate) fn decode_here(&mut self, data: &FlightData) -> Result<Decoded, DecodeError> {
        if data.data_header.is_empty() && data.data_body.is_empty() {
            return Ok(Decoded::Nothing);
        }
        let caught =
            catch_unwind(AssertUnwindSafe(|| self.decode_checked(&data.data_header, &data.data_body)));
        let decoded = caught.unwrap_or_else(|_| Err("the message breaks the format".to_owned()));
        decoded.map_err(|detail| DecodeError::Malformed(format!("malformed Arrow IPC message: {detail}")))
    }

    fn decode_checked(&mut self, header: &[u8], body: &Bytes) -> Result<Decoded, String> {
        let message = root_as_message(header).map_err(|error| format!("header: {error}"))?;
        match message.header_type() {
            MessageHeader::NONE => Err("the message has a header without content".to_owned()),
            MessageHeader::Schema => {
                let schema = message.header_as_schema().ok_or("the schema message has no schema")?;
                if self.schema.is_some() {
                    return Err("a second schema in one stream".to_owned());
                }
                check_schema(schema, self.takes_unions)?;
                self.schema = Some(Arc::new(fb_to_schema(schema)));
                Ok(Decoded::Nothing)
            }
            MessageHeader::DictionaryBatch => {
                let schema = Arc::clone(self.schema.as_ref().ok_or("a dictionary before the schema")?);
                let dictionary =
                    message.header_as_dictionary_batch().ok_or("no dictionary in its message")?;
                let data = dictionary.data().ok_or("a dictionary without values")?;
                let value = dictionary_value(&schema, dictionary.id())?;
                check_batch(data, [&value], body, self.limits)?;
                if self.dictionaries.len() >= DICTIONARIES_MAX {
                    return Err(format!("more than {DICTIONARIES_MAX} dictionaries in one stream"));
                }
                let body = Buffer::from(body.clone());
                read_dictionary(&body, dictionary, &schema, &mut self.dictionaries, &message.version())
                    .map_err(reason)?;
                self.check_dictionaries()
            }
            MessageHeader::RecordBatch => {
                let schema = Arc::clone(self.schema.as_ref().ok_or("a batch before the schema")?);
                let batch = message.header_as_record_batch().ok_or("no batch in its message")?;
                check_batch(batch, schema.fields().iter().map(AsRef::as_ref), body, self.limits)?;
                // arrow-ipc 59 aligns the buffers of every type but unions, and panics on those: a copy is aligned.
                let body =
                    if self.takes_unions { Buffer::from_slice_ref(body) } else { Buffer::from(body.clone()) };
                let version = message.version();
                if self.takes_unions && version < MetadataVersion::V5 {
                    return Err("unions had another layout before version 5 of the format".to_owned());
                }
                let batch = read_record_batch(&body, batch, schema, &self.dictionaries, None, &version)
                    .map_err(reason)?;
                self.check_logical_size(&batch)?;
                Ok(Decoded::Batch(batch))
            }
            other => Err(format!("unexpected {} message", other.variant_name().unwrap_or("unknown"))),
        }
    }

    /// Deltas let a dictionary grow message by message: the sum is bounded like one body.
    fn check_dictionaries(&self) -> Result<Decoded, String> {
        if self.dictionary_bytes() > self.limits.body_bytes_max {
            return Err(format!(
                "the dictionaries of the stream exceed {} bytes",
                self.limits.body_bytes_max
            ));
        }
        Ok(Decoded::Nothing)
    }

    fn dictionary_bytes(&self) -> usize {
        self.dictionaries.values().map(|values| values.get_array_memory_size()).sum()
    }

    /// Dictionary keys and views can name the same long value a million times: bound what the rows say, not what was sent.
    fn check_logical_size(&self, batch: &RecordBatch) -> Result<(), String> {
        let mut bytes = 0_usize;
        for column in batch.columns() {
            bytes = bytes.saturating_add(repeated_bytes(column.as_ref()));
        }
        if bytes > self.limits.body_bytes_max {
            let limit = self.limits.body_bytes_max;
            return Err(format!("its rows hold {bytes} bytes of text, more than the limit of {limit}"));
        }
        Ok(())
    }
}

/// arrow's error without the variant's prefix, which only says in which function it arose.
fn reason(error: ArrowError) -> String {
    match error {
        ArrowError::InvalidArgumentError(text)
        | ArrowError::IpcError(text)
        | ArrowError::SchemaError(text) => text,
        other => other.to_string(),
    }
}

/// The values of the dictionary as a nullable column, which is how its message is laid out.
fn dictionary_value(schema: &Schema, id: i64) -> Result<Field, String> {
    #[expect(deprecated, reason = "the only way to the ids that a decoded schema carries")]
    let fields = schema.fields_with_dict_id(id);
    match fields.first().map(|field| field.data_type()) {
        Some(DataType::Dictionary(_, value)) => Ok(Field::new("dictionary", value.as_ref().clone(), true)),
        _ => Err(format!("dictionary {id} belongs to no column of the schema")),
    }
}

/// Bytes that the rows of dictionary and view columns refer to, children included.
fn repeated_bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().total_bytes_len(),
        DataType::BinaryView => array.as_binary_view().total_bytes_len(),
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|child| repeated_bytes(child.as_ref())).sum()
        }
        DataType::Map(_, _) => repeated_bytes(array.as_map().entries()),
        DataType::List(_) => repeated_bytes(array.as_list::<i32>().values().as_ref()),
        DataType::LargeList(_) => repeated_bytes(array.as_list::<i64>().values().as_ref()),
        DataType::Dictionary(_, _) => dictionary_bytes(array),
        _ => 0,
    }
}

fn dictionary_bytes(array: &dyn Array) -> usize {
    downcast_dictionary_array!(
        array => {
            let lengths = value_lengths(array.values().as_ref());
            let longest = lengths.iter().max().copied().unwrap_or(0);
            // The usual case needs no look at the rows.
            if longest.saturating_mul(array.len()) < SMALL_BYTES {
                return 0;
            }
            array.keys_iter().flatten().map(|key| lengths.get(key).copied().unwrap_or(0)).sum()
        }
        _ => 0
    )
}

/// Lengths of text values; other values are of a fixed, small size.
fn value_lengths(values: &dyn Array) -> Vec<usize> {
    match values.data_type() {
        DataType::Utf8 => offset_lengths(values.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => offset_lengths(values.as_string::<i64>().value_offsets()),
        DataType::Binary => offset_lengths(values.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => offset_lengths(values.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => values.as_string_view().lengths().map(|length| length as usize).collect(),
        DataType::BinaryView => values.as_binary_view().lengths().map(|length| length as usize).collect(),
        _ => Vec::new(),
    }
}

fn offset_lengths<O: ArrowNativeType>(offsets: &[O]) -> Vec<usize> {
    offsets.windows(2).map(|pair| pair[1].as_usize().saturating_sub(pair[0].as_usize())).collect()
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
