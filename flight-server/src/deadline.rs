//! `Deadline`: when a query must have ended. Flight and HTTP stop theirs by the same rule.

use std::{future, time::Duration};

use tokio::time::Instant;

/// When a query must have ended; never, without a limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<(Instant, Duration)>);

impl Deadline {
    /// `timeout` from now.
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        // A limit beyond what the clock can count is none.
        Self(timeout.and_then(|timeout| Some((Instant::now().checked_add(timeout)?, timeout))))
    }

    /// Resolves when the time is up, with the limit that was set.
    pub(crate) async fn passed(&self) -> Duration {
        match self.0 {
            Some((at, timeout)) => {
                tokio::time::sleep_until(at).await;
                timeout
            }
            None => future::pending().await,
        }
    }
}
