//! Where a fuzzer hands over what may be a WAL object.

use bytes::Bytes;

use super::{decode, decode_header};
use crate::wal::object::sealed;

/// Reads it as it is, and with the checksum that it should have, so that what lies behind is reached.
pub fn wal_object(bytes: &[u8]) {
    for object in [bytes.to_vec(), sealed(bytes.to_vec())] {
        let object = Bytes::from(object);
        let header = decode_header("fuzzed", &object);
        if let Ok(read) = decode("fuzzed", &object) {
            assert_eq!(header.ok(), Some(read.header));
        }
    }
}
