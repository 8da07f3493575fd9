//! `WholeMinutes`: the part of a window that whole minutes make up.

use hexflight_engine::MinuteGroup;

use super::question::MINUTE_MICROS;

/// The whole minutes of a window. **Units**: µs; `to` does not belong to them.
#[derive(Debug, Clone, Copy)]
pub(super) struct WholeMinutes {
    from: i64,
    to: i64,
}

impl WholeMinutes {
    /// Of the window `from..=to`.
    pub(super) fn of(from: i64, to: i64) -> Self {
        let floor = |time: i64| time.div_euclid(MINUTE_MICROS).saturating_mul(MINUTE_MICROS);
        Self { from: floor(from.saturating_add(MINUTE_MICROS - 1)), to: floor(to.saturating_add(1)) }
    }

    pub(super) fn holds(&self, time: i64) -> bool {
        (self.from <= time) & (time < self.to)
    }
}

/// Start of a minute. **Units**: µs since 1970.
pub(super) fn start_of(group: &MinuteGroup) -> i64 {
    i64::from(group.minute) * MINUTE_MICROS
}
