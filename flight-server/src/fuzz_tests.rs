//! The corpora of the fuzz targets, and damaged copies.

#![expect(clippy::disallowed_methods, reason = "tests read files")]

#[path = "../../fuzz/variants.rs"]
mod variants;

use crate::fuzz;

#[test]
fn ipc_messages_do_no_harm() {
    variants::each("ipc_messages", 500, fuzz::ipc_messages);
}

#[test]
fn json_documents_do_no_harm() {
    variants::each("json_document", 500, fuzz::json_document);
}
