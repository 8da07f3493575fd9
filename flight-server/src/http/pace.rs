//! `Pace`: what a large body must keep up with, so that one that stalls does not hold for ever what it was given.

use std::time::Duration;

use crate::status::Problem;
use axum::http::StatusCode;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use hexflight_engine::time::{self, timeout};

/// The next bytes of a body must arrive within `wait`, `bytes_min` of them or the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct PaceRule {
    pub(super) wait: Duration,
    /// **Units**: bytes.
    pub(super) bytes_min: usize,
}

impl PaceRule {
    /// Slower than any link that somebody would send a file over: 32 KiB a second. Few may send one at once.
    pub(super) const FILE: Self = Self { wait: Duration::from_secs(30), bytes_min: 1 << 20 };
}

/// How well a body keeps up. Only the time in which the server waits for it counts.
#[derive(Debug)]
pub(super) struct Pace {
    rule: PaceRule,
    wait_left: Duration,
    bytes: usize,
}

impl Pace {
    pub(super) fn new(rule: PaceRule) -> Self {
        Self { rule, wait_left: rule.wait, bytes: 0 }
    }

    /// The next part of a body.
    ///
    /// # Errors
    /// 408 when it is too slow.
    pub(super) async fn next<E>(
        &mut self,
        parts: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    ) -> Result<Option<Result<Bytes, E>>, Problem> {
        let asked = time::now();
        let part = timeout(self.wait_left, parts.next()).await.map_err(|_| self.too_slow())?;
        self.wait_left = self.wait_left.saturating_sub(asked.elapsed());
        if let Some(Ok(part)) = &part {
            self.bytes += part.len();
        }
        if self.bytes >= self.rule.bytes_min {
            *self = Self::new(self.rule);
        }
        Ok(part)
    }

    fn too_slow(&self) -> Problem {
        let PaceRule { wait, bytes_min } = self.rule;
        let detail =
            format!("{} bytes of the body arrived in {wait:?}, at least {bytes_min} must", self.bytes);
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;

    use super::*;

    const RULE: PaceRule = PaceRule { wait: Duration::from_millis(50), bytes_min: 10 };

    #[tokio::test]
    async fn a_body_that_stalls_or_trickles_is_refused() {
        let stalled = stream::once(async { part(3) }).chain(stream::pending());
        assert_eq!(read(stalled).await, Err(StatusCode::REQUEST_TIMEOUT));
        let trickling = stream::repeat(()).then(|()| async {
            time::sleep(Duration::from_millis(10)).await;
            part(1)
        });
        assert_eq!(read(trickling).await, Err(StatusCode::REQUEST_TIMEOUT));
    }

    #[tokio::test]
    async fn a_body_may_take_long_if_it_goes_on() {
        let steady = stream::iter(0..10).then(|_| async {
            time::sleep(Duration::from_millis(10)).await;
            part(10)
        });
        assert_eq!(read(steady).await, Ok(100));
    }

    async fn read(parts: impl Stream<Item = Result<Bytes, Infallible>>) -> Result<usize, StatusCode> {
        let (mut pace, mut parts, mut bytes) = (Pace::new(RULE), Box::pin(parts), 0);
        while let Some(Ok(part)) = pace.next(&mut parts).await.map_err(|problem| problem.status())? {
            bytes += part.len();
        }
        Ok(bytes)
    }

    fn part(bytes: usize) -> Result<Bytes, Infallible> {
        Ok(Bytes::from(vec![0; bytes]))
    }
}
