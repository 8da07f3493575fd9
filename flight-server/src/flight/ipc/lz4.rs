//! Bounds what an LZ4 frame can grow to, by walking its block headers. The decoder behind arrow-ipc reads a frame to its end
//! whatever length was declared, so a lying length is found only after the memory is spent.
//!
//! ```text
//! frame  = magic 4 | FLG 1 | BD 1 | [content size 8] | [dictionary id 4] | HC 1 | block … | 0 4 | [content checksum 4]
//! block  = size 4 (bit 31: stored) | data | [block checksum 4]
//! ```
//! **Source**: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>

const MAGIC: u32 = 0x184D_2204;
const STORED: u32 = 1 << 31;

/// The most bytes that `frame` can decompress to, or why it is no frame that we read.
pub(super) fn decompressed_bytes_max(frame: &[u8]) -> Result<u64, &'static str> {
    let mut rest = Cursor(frame);
    if rest.u32()? != MAGIC {
        return Err("LZ4 data does not start with a frame");
    }
    let (flags, descriptor) = (rest.u8()?, rest.u8()?);
    let has = |bit: u8| usize::from(flags >> bit & 1);
    let (content_size, block_checksum, dictionary) = (has(3) * 8, has(4) * 4, has(0) * 4);
    rest.skip(content_size + dictionary + 1)?;
    let block_bytes_max: u64 = match descriptor >> 4 & 7 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => return Err("LZ4 frame declares an unknown block size"),
    };
    let mut total = 0_u64;
    loop {
        let size = rest.u32()?;
        if size == 0 {
            return Ok(total);
        }
        let stored = size & STORED != 0;
        let bytes = size & !STORED;
        rest.skip(usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(block_checksum))?;
        // A block of n bytes grows at most 255-fold: one length byte stands for 255 bytes.
        let grown = if stored { u64::from(bytes) } else { u64::from(bytes) * 255 };
        total += grown.min(block_bytes_max);
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    const SHORT: &'static str = "LZ4 frame ends before its end mark";

    fn skip(&mut self, count: usize) -> Result<(), &'static str> {
        self.0 = self.0.get(count..).ok_or(Self::SHORT)?;
        Ok(())
    }

    fn u8(&mut self) -> Result<u8, &'static str> {
        let (first, rest) = self.0.split_first().ok_or(Self::SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        let (first, rest) = self.0.split_first_chunk::<4>().ok_or(Self::SHORT)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_blocks_count_as_they_are() {
        let frame = framed(&[(STORED | 3, 3)]);
        assert_eq!(decompressed_bytes_max(&frame), Ok(3));
    }

    #[test]
    fn compressed_blocks_count_at_most_one_block_each() {
        let frame = framed(&[(1_000, 1_000), (10, 10)]);
        assert_eq!(decompressed_bytes_max(&frame), Ok((64 << 10) + 2_550));
    }

    #[test]
    fn a_cut_frame_is_refused() {
        let frame = framed(&[(1_000, 1_000)]);
        for end in 0..frame.len() {
            assert!(decompressed_bytes_max(&frame[..end]).is_err(), "{end} bytes were taken");
        }
    }

    #[test]
    fn another_magic_is_refused() {
        assert!(decompressed_bytes_max(&[0x02, 0x21, 0x4c, 0x18, 0, 0, 0, 0]).is_err());
    }

    fn framed(blocks: &[(u32, usize)]) -> Vec<u8> {
        let mut frame = MAGIC.to_le_bytes().to_vec();
        frame.extend([0x60, 0x40, 0x00]);
        for (size, bytes) in blocks {
            frame.extend(size.to_le_bytes());
            frame.extend(vec![0_u8; *bytes]);
        }
        frame.extend(0_u32.to_le_bytes());
        frame
    }
}
