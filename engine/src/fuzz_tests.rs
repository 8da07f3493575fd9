//! The corpora of the fuzz targets, and damaged copies.

#![expect(clippy::disallowed_methods, reason = "tests read files")]

#[path = "../../fuzz/variants.rs"]
mod variants;

use crate::fuzz;

#[test]
fn wal_objects_do_no_harm() {
    variants::each("wal_object", 500, fuzz::wal_object);
}

#[test]
fn rollup_objects_do_no_harm() {
    variants::each("rollup_object", 500, fuzz::rollup_object);
}
