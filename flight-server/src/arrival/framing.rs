//! `Framing`: where the messages of a gRPC call begin and end in its bytes. Pure.
//!
//! ```text
//!  | flag (1) | length (4, big endian) | message (length) | flag …
//! ```
//! **Source**: gRPC over HTTP/2, `Length-Prefixed-Message`.

/// Bytes before each message.
const HEADER_BYTES: usize = 5;

/// How far the bytes that were seen go into a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Framing {
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// What the current message still lacks. **Units**: bytes.
    left: usize,
}

/// What some more bytes hold.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) next: Framing,
    /// Whether the message that had begun before ends in them.
    pub(super) has_ended: bool,
    /// The message that begins in them and does not end in them.
    pub(super) begun: Option<Begun>,
}

/// A message whose header is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// Where its header, or the rest of its header, begins.
    pub(super) at: usize,
    /// Its length. **Units**: bytes.
    pub(super) bytes: usize,
}

impl Framing {
    /// Whether the bytes so far end within a message.
    pub(super) fn is_within(&self) -> bool {
        self.left > 0
    }

    /// Looks at more bytes.
    pub(super) fn see(mut self, data: &[u8]) -> Seen {
        let was_within = self.is_within();
        let mut at = self.left.min(data.len());
        self.left -= at;
        let has_ended = was_within && !self.is_within();
        let mut begun = None;
        while at < data.len() && !self.is_within() {
            let start = at;
            let header = &data[at..data.len().min(at + HEADER_BYTES - self.header_bytes)];
            self.header[self.header_bytes..self.header_bytes + header.len()].copy_from_slice(header);
            self.header_bytes += header.len();
            at += header.len();
            if self.header_bytes < HEADER_BYTES {
                break;
            }
            let [_flag, length @ ..] = self.header;
            let bytes = u32::from_be_bytes(length) as usize;
            let here = bytes.min(data.len() - at);
            (self.header_bytes, self.left) = (0, bytes - here);
            at += here;
            begun = self.is_within().then_some(Begun { at: start, bytes });
        }
        Seen { next: self, has_ended, begun }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_their_bytes_are_cut() {
        let lengths = [3_usize, 0, 20, 7, 1_000, 1];
        let mut bytes = Vec::new();
        for length in lengths {
            bytes.push(0);
            bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
            bytes.extend(vec![b'x'; length]);
        }
        for piece in [1, 2, 3, 5, 7, 64, 2_000] {
            let (mut framing, mut begun, mut ended) = (Framing::default(), vec![], 0);
            for data in bytes.chunks(piece) {
                let seen = framing.see(data);
                begun.extend(seen.begun.map(|begun| begun.bytes));
                ended += usize::from(seen.has_ended);
                framing = seen.next;
            }
            assert!(!framing.is_within());
            assert_eq!(begun.len(), ended, "pieces of {piece}");
            assert_eq!(begun.contains(&1_000), piece < 1_005, "pieces of {piece}");
        }
    }

    #[test]
    fn the_message_that_goes_on_is_the_last_one() {
        let bytes = [0, 0, 0, 0, 1, b'x', 0, 0, 1, 0, 0, b'y'];
        let seen = Framing::default().see(&bytes);
        assert_eq!(seen.begun, Some(Begun { at: 6, bytes: 1 << 16 }));
        assert!(!seen.has_ended && seen.next.is_within());
    }
}
