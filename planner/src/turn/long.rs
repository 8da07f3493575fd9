//! Turns that last too long: code in them neither gives its thread back nor asks whether its query has ended. They are counted, so that
//! somebody looks at what does not.

use std::time::Duration;

use hexflight_engine::time::{self, Instant};
use parking_lot::Mutex;
/// Longer than any piece of work takes on a machine that is not overloaded.
const TURN_MAX: Duration = Duration::from_secs(1);

/// One long turn is seldom alone.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

static LOGGED: Mutex<Option<Instant>> = Mutex::new(None);

/// Counts a turn of a node if it was long, and logs it once a minute.
pub(super) fn note(node: &str, lasted: Duration) {
    if !is_long(lasted) {
        return;
    }
    metrics::counter!("hexflight_query_long_turns_total").increment(1);
    if is_due(&mut LOGGED.lock(), time::now()) {
        tracing::warn!(node, seconds = lasted.as_secs_f64(), "a query kept its thread for long");
    }
}

fn is_long(lasted: Duration) -> bool {
    lasted > TURN_MAX
}

/// Whether to log now; if so, not again for a minute.
fn is_due(logged: &mut Option<Instant>, now: Instant) -> bool {
    let is_due = logged.is_none_or(|logged| now.duration_since(logged) >= LOGGED_EVERY);
    if is_due {
        *logged = Some(now);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_turns_are_logged_once_a_minute() {
        assert!(is_long(Duration::from_millis(1_001)) && !is_long(TURN_MAX));
        let (mut logged, start) = (None, time::now());
        assert!(is_due(&mut logged, start));
        assert!(!is_due(&mut logged, start + Duration::from_secs(59)));
        assert!(is_due(&mut logged, start + LOGGED_EVERY));
        assert!(!is_due(&mut logged, start + LOGGED_EVERY));
    }
}
