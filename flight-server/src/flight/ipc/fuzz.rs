//! Where a fuzzer hands over what may be the messages of a stream.
//!
//! ```text
//! each message: length of its header, u32 little-endian · length of its body, u32 · header · body; the last one may be cut off
//! ```

use arrow::array::Array;
use arrow_flight::FlightData;
use bytes::Bytes;

use super::{BatchDecoder, Decoded, Limits};

const LIMITS: Limits = Limits { body_bytes_max: 1 << 20, rows_max: 1 << 16 };

/// Decodes them, as batches of events and as parameters. What comes through is what arrow allows.
pub fn ipc_messages(bytes: &[u8]) {
    for mut decoder in [BatchDecoder::new(LIMITS), BatchDecoder::new(LIMITS).taking_unions()] {
        for message in messages(bytes) {
            let Ok(Decoded::Batch(batch)) = decoder.decode_here(&message) else { continue };
            for column in batch.columns() {
                column.to_data().validate_full().expect("a batch that was decoded is valid");
            }
        }
    }
}

fn messages(mut rest: &[u8]) -> Vec<FlightData> {
    let mut messages = vec![];
    while let Some((lengths, parts)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, e, f, g, h] = *lengths;
        let (header, parts) = cut(parts, [a, b, c, d]);
        let (body, left) = cut(parts, [e, f, g, h]);
        let (data_header, data_body) = (Bytes::copy_from_slice(header), Bytes::copy_from_slice(body));
        messages.push(FlightData { data_header, data_body, ..FlightData::default() });
        rest = left;
    }
    messages
}

/// So many bytes, or as many as there are, and the rest.
fn cut(bytes: &[u8], length: [u8; 4]) -> (&[u8], &[u8]) {
    bytes.split_at((u32::from_le_bytes(length) as usize).min(bytes.len()))
}
