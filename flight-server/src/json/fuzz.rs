//! Where a fuzzer hands over what may be a body of events.

use super::document::{DocumentFormat, read};

/// Reads it in every format.
pub fn json_document(bytes: &[u8]) {
    for format in [
        DocumentFormat::Json,
        DocumentFormat::Lines,
        DocumentFormat::Unknown,
        DocumentFormat::CloudEvent,
        DocumentFormat::CloudBatch,
    ] {
        let Ok(events) = read(bytes, &format) else { continue };
        let rows = events.batch.map_or(0, |batch| batch.num_rows());
        assert!(rows == events.origins.len() && rows <= events.count, "{rows} rows of {}", events.count);
    }
}
