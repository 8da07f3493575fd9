//! `Clock`: the only way to the time, so that tests can set it.

use std::{
    fmt::Debug,
    time::{SystemTime, UNIX_EPOCH},
};

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// Wall-clock time. **Units**: µs since 1970, UTC.
    fn now_micros(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
    }
}
