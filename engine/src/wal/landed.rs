//! The newest commit that landed, noted in the lock file: nothing lies behind it that would tell of its loss. The note is written after the
//! commit is durable and before its ack, without fsync. It may be behind what is stored, after a power failure or in a copy, never
//! ahead of it: when it is, commits were lost.

use crate::{
    schema::{Sequence, StreamId},
    store::Store,
};

/// Length of a note: stream, sequence, CRC32C of both, each followed by a space or a newline. **Units**: bytes.
const NOTE_BYTES: usize = 36 + 1 + 20 + 1 + 8 + 1;

/// Notes that every commit of `stream` up to `sequence` has landed.
pub(super) fn note(store: &Store, stream: StreamId, sequence: Sequence) {
    store.note(encode(stream, sequence).as_bytes());
}

/// What an earlier process has noted, if that is a note.
pub(crate) fn noted(store: &Store) -> Option<(StreamId, Sequence)> {
    decode(&store.noted(NOTE_BYTES)?)
}

fn encode(stream: StreamId, sequence: Sequence) -> String {
    let text = format!("{stream} {sequence:020} ", sequence = sequence.0);
    format!("{text}{:08x}\n", crc32c::crc32c(text.as_bytes()))
}

/// The stream and the sequence that a note says, if it is one.
pub(crate) fn decode(note: &[u8]) -> Option<(StreamId, Sequence)> {
    let mut parts = std::str::from_utf8(note).ok()?.split(' ');
    let (stream, sequence) = (StreamId::parse(parts.next()?)?, Sequence(parts.next()?.parse().ok()?));
    (encode(stream, sequence).as_bytes() == note).then_some((stream, sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_or_is_none() {
        let (stream, sequence) = (StreamId::generate(), Sequence(7));
        let note = encode(stream, sequence);
        assert_eq!(note.len(), NOTE_BYTES);
        assert_eq!(decode(note.as_bytes()), Some((stream, sequence)));
        for at in 0..note.len() {
            let mut bad = note.clone().into_bytes();
            bad[at] ^= 1;
            assert_eq!(decode(&bad), None, "flip at {at}");
            assert_eq!(decode(&note.as_bytes()[..at]), None, "cut at {at}");
        }
        assert_eq!(decode(b"pid 1234\n"), None);
    }
}
