//! Bytes of a rollup: little-endian arrays, one after the other. Reading checks every length.

use super::Sums;
use crate::error::{EngineError, Result};

/// Writes numbers and arrays.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Length, then bytes.
    pub(super) fn text(&mut self, text: &str) {
        self.u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Column by column: equal bytes come together, which compresses.
    pub(super) fn sums<'a>(&mut self, sums: impl Iterator<Item = &'a Sums> + Clone) {
        sums.clone().for_each(|sums| self.u32(u32::try_from(sums.count).unwrap_or(u32::MAX)));
        sums.clone().for_each(|sums| self.f64(sums.sum));
        sums.clone().for_each(|sums| self.f64(sums.min));
        sums.for_each(|sums| self.f64(sums.max));
    }
}

/// Reads what a [`Writer`] wrote.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Named in errors.
    path: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], path: &'a str) -> Self {
        Self { bytes, path }
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        let length = self.u32()? as usize;
        let path = self.path;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|error| corrupt(path, error.to_string()))
    }

    pub(super) fn u16s(&mut self, count: usize) -> Result<Vec<u16>> {
        Ok(self.arrays::<2>(count)?.map(u16::from_le_bytes).collect())
    }

    pub(super) fn u32s(&mut self, count: usize) -> Result<Vec<u32>> {
        Ok(self.arrays::<4>(count)?.map(u32::from_le_bytes).collect())
    }

    pub(super) fn i64s(&mut self, count: usize) -> Result<Vec<i64>> {
        Ok(self.arrays::<8>(count)?.map(i64::from_le_bytes).collect())
    }

    pub(super) fn f64s(&mut self, count: usize) -> Result<Vec<f64>> {
        Ok(self.arrays::<8>(count)?.map(f64::from_le_bytes).collect())
    }

    pub(super) fn f32s(&mut self, count: usize) -> Result<Vec<f32>> {
        Ok(self.arrays::<4>(count)?.map(f32::from_le_bytes).collect())
    }

    pub(super) fn sums(&mut self, count: usize) -> Result<Vec<Sums>> {
        let counts = self.u32s(count)?;
        let (sums, mins, maxs) = (self.f64s(count)?, self.f64s(count)?, self.f64s(count)?);
        let rows = counts.into_iter().zip(sums).zip(mins.into_iter().zip(maxs));
        Ok(rows.map(|((count, sum), (min, max))| Sums { count: count.into(), sum, min, max }).collect())
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// What is read, for errors.
    pub(super) fn path(&self) -> &'a str {
        self.path
    }

    /// Says so when bytes are left.
    pub(super) fn end(&self) -> Result<()> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(corrupt(self.path, format!("{left} bytes too many"))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    fn arrays<const N: usize>(&mut self, count: usize) -> Result<impl Iterator<Item = [u8; N]> + use<'a, N>> {
        let bytes = self.take(count.saturating_mul(N))?;
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(chunks.iter().copied())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(corrupt(self.path, format!("{count} bytes wanted, {} are left", self.bytes.len())));
        };
        self.bytes = rest;
        Ok(taken)
    }
}

/// Stored bytes are not what a rollup is made of.
pub(super) fn corrupt(path: &str, detail: String) -> EngineError {
    EngineError::Corrupt { path: path.to_owned(), detail }
}
