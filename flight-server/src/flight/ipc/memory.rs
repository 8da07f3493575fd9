//! `DecodeMemory`: what messages may take beyond their own bytes once they are decoded. A compressed batch is held until the engine has it, a
//! dictionary until its stream ends.

use std::sync::Arc;

use arrow::ipc::{MessageHeader, root_as_message};
use arrow_flight::FlightData;
use hexflight_engine::Budget;

use super::check::decompressed_bytes;
use crate::arrival::ArrivalMemory;

/// Parts of the memory limit.
const BATCHES_PART: usize = 16;
const DICTIONARIES_PART: usize = 16;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct DecodeMemory {
    pub(super) batches: Arc<ArrivalMemory>,
    pub(super) dictionaries: Arc<ArrivalMemory>,
}

impl DecodeMemory {
    /// Of the engine's budget.
    pub(crate) fn of(total: &Arc<Budget>) -> Self {
        Self {
            batches: ArrivalMemory::new("messages that are decompressed", total, BATCHES_PART),
            dictionaries: ArrivalMemory::new("dictionaries of streams", total, DICTIONARIES_PART),
        }
    }
}

/// What the compressed buffers of a message declare to become. **Units**: bytes; 0 for one that is not compressed, or will be refused.
pub(crate) fn expanded_bytes(data: &FlightData) -> usize {
    let Ok(message) = root_as_message(&data.data_header) else { return 0 };
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch().and_then(|batch| batch.data()),
        _ => None,
    };
    batch.map_or(0, |batch| decompressed_bytes(batch, &data.data_body))
}
