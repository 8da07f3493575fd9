//! Arrow IPC from the network: [`Limits`], checks of what a message declares against what it brought ([`check`]), and the decoder
//! that runs behind them. arrow-ipc 59 panics on, or allocates for, lengths that a hostile message only claims.

mod lz4;
mod check_schema;
mod check;
mod memory;
mod decode;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

use arrow::ipc::{Message, root_as_message};
use arrow_flight::FlightData;

pub(crate) use decode::{BatchDecoder, Decoded};
pub(crate) use memory::{DecodeMemory, expanded_bytes};

/// Whether a message is the schema of a stream without columns, which clients send when they have nothing to bind.
pub(crate) fn declares_no_columns(data: &FlightData) -> bool {
    let message = root_as_message(&data.data_header).ok();
    let schema = message.as_ref().and_then(Message::header_as_schema);
    schema.is_some_and(|schema| schema.fields().is_none_or(|fields| fields.is_empty()))
}

/// What a message may declare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of a body, also once it is decompressed.
    pub(crate) body_bytes_max: usize,
    /// Rows of a batch, values of a column or entries of a dictionary.
    pub(crate) rows_max: usize,
}

impl Limits {
    /// Rows that a batch of any real schema can hold in a message of 64 MiB, with room: the smallest row of `events` takes
    /// more than 16 bytes.
    const ROWS_MAX: usize = 1 << 22;

    /// The limits that go with a message size.
    pub(crate) fn of_message(max_message_bytes: usize) -> Self {
        Self { body_bytes_max: max_message_bytes, rows_max: Self::ROWS_MAX }
    }
}
