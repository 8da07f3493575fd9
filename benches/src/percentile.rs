//! Percentiles of measured times.

use std::time::Duration;

/// The time below which `share` of the times lie.
pub(crate) fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
    let index = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
    times.get(index).copied().unwrap_or_default()
}
