//! `LoadStats`: what a load run has sent and what came back, shared by its connections and read by the progress line.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::client::PutAck;
use parking_lot::Mutex;

/// Sub-buckets per power of two: a quantile is off by at most one sixteenth.
const SUB_BUCKETS: usize = 16;
const SUB_BITS: u32 = SUB_BUCKETS.trailing_zeros();

/// Counters of a load run.
#[derive(Debug, Default)]
pub struct LoadStats {
    sent_rows: AtomicU64,
    acked_rows: AtomicU64,
    acked_batches: AtomicU64,
    refusals: AtomicU64,
    unknown_rows: AtomicU64,
    latencies: Mutex<LatencyHistogram>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadTotals {
    /// Rows handed to a connection.
    pub sent_rows: u64,
    /// Rows that the server has made durable.
    pub acked_rows: u64,
    /// Batches that the server has made durable.
    pub acked_batches: u64,
    /// Times that a batch was refused for lack of memory and sent again.
    pub refusals: u64,
    /// Rows without an ack when their connection broke: kept or not, nobody knows.
    pub unknown_rows: u64,
    /// Median time from hand-over to ack.
    pub ack_p50: Duration,
    /// 99 of 100 acks came within this time.
    pub ack_p99: Duration,
}

/// Counts of latencies in buckets that grow with the latency.
#[derive(Debug, Default)]
struct LatencyHistogram {
    counts: Vec<u64>,
    total: u64,
}

impl LoadStats {
    pub(super) fn sent(&self, rows: usize) {
        self.sent_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn acked(&self, ack: &PutAck) {
        self.acked_rows.fetch_add(ack.rows as u64, Ordering::Relaxed);
        self.acked_batches.fetch_add(1, Ordering::Relaxed);
        self.latencies.lock().record(ack.latency);
    }

    pub(super) fn refused(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost_track_of(&self, rows: usize) {
        self.unknown_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Reads all counters.
    #[must_use]
    pub fn totals(&self) -> LoadTotals {
        let latencies = self.latencies.lock();
        LoadTotals {
            sent_rows: self.sent_rows.load(Ordering::Relaxed),
            acked_rows: self.acked_rows.load(Ordering::Relaxed),
            acked_batches: self.acked_batches.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
            unknown_rows: self.unknown_rows.load(Ordering::Relaxed),
            ack_p50: latencies.percentile(50),
            ack_p99: latencies.percentile(99),
        }
    }
}

impl LatencyHistogram {
    fn record(&mut self, latency: Duration) {
        let index = bucket_of(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.total += 1;
    }

    /// The lower end of the bucket in which `percent` of all latencies are reached; zero without any.
    fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.total * percent).div_ceil(100);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return Duration::from_micros(bucket_start(index));
            }
        }
        Duration::ZERO
    }
}

/// Values below 16 have their own bucket, above that each power of two has 16.
fn bucket_of(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let sub_bucket = usize::try_from(micros >> shift).unwrap_or(usize::MAX);
    shift as usize * SUB_BUCKETS + sub_bucket
}

fn bucket_start(index: usize) -> u64 {
    let shift = (index / SUB_BUCKETS).saturating_sub(1);
    ((index - shift * SUB_BUCKETS) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_ordered_and_narrow() {
        for micros in (0..200_000).chain([1 << 40, u64::MAX]) {
            let start = bucket_start(bucket_of(micros));
            assert!(start <= micros && micros - start <= micros / 16, "{micros} in bucket from {start}");
        }
    }

    #[test]
    fn percentiles_of_a_hundred() {
        let mut histogram = LatencyHistogram::default();
        assert_eq!(histogram.percentile(50), Duration::ZERO);
        (1..=100).for_each(|millis| histogram.record(Duration::from_millis(millis)));

        let near = |found: Duration, millis: f64| (found.as_secs_f64() * 1e3 / millis - 1.0).abs() < 0.07;
        assert!(near(histogram.percentile(50), 50.0), "{:?}", histogram.percentile(50));
        assert!(near(histogram.percentile(99), 99.0), "{:?}", histogram.percentile(99));
    }
}
