//! What a sender is told of a message that failed: the status names its batch, and the limit that it broke.

use bytes::Bytes;
use tonic::{Code, Status};

/// The status with the number of the batch in front; code, details and retry hint stay.
pub(super) fn at_batch(index: usize, status: &Status) -> Status {
    let message = format!("batch {index}: {}", status.message());
    let details = Bytes::copy_from_slice(status.details());
    Status::with_details_and_metadata(status.code(), message, details, status.metadata().clone())
}

/// What a message that could not be read means to its sender. tonic calls one over the limit OUT_OF_RANGE, which says nothing
/// about how to go on.
pub(super) fn unread(status: &Status, max_message_bytes: usize) -> Status {
    if status.code() == Code::OutOfRange {
        let digits = |c: char| !c.is_ascii_digit();
        let found = status.message().split(digits).find(|part| !part.is_empty()).unwrap_or("too many");
        return Status::invalid_argument(format!(
            "the message has {found} bytes, the limit is {max_message_bytes} (max_message); send smaller batches"
        ));
    }
    status.clone()
}
