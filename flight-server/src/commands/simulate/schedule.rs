//! `Schedule`: which event times the next batch covers, when it is due, and when there is nothing left to send.

use std::{sync::Arc, time::Duration};

use hexflight_engine::{
    Clock,
    time::{self, Instant},
};

use super::TimeSlice;

/// At a given rate, a connection sends at least this many batches per second, so that events are not held back.
const BATCHES_PER_SECOND_MIN: f64 = 4.0;

/// How much one connection sends, how fast, and what time it says it is.
#[derive(Debug, Clone)]
pub(super) struct SchedulePlan {
    /// Rows of a full batch.
    pub(super) batch_rows: usize,
    /// Rows per second; `None` = as fast as possible.
    pub(super) rate: Option<f64>,
    /// Rows in all.
    pub(super) rows_max: Option<usize>,
    /// Time in all.
    pub(super) time_max: Option<Duration>,
    /// Event times are spread over this span before the start; `None` = events happen now.
    pub(super) time_span: Option<Duration>,
}

/// The plan being carried out.
#[derive(Debug)]
pub(super) struct Schedule {
    plan: SchedulePlan,
    clock: Arc<dyn Clock>,
    started: Instant,
    started_micros: i64,
    scheduled_rows: usize,
    last_micros: i64,
}

/// The next batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    /// Its rows.
    pub(super) rows: usize,
    /// The event times it covers.
    pub(super) slice: TimeSlice,
    /// When to send it.
    pub(super) due: Instant,
}

impl Schedule {
    pub(super) fn start(mut plan: SchedulePlan, clock: Arc<dyn Clock>, started_micros: i64) -> Self {
        if let Some(rate) = plan.rate {
            plan.batch_rows = plan.batch_rows.min(whole(rate / BATCHES_PER_SECOND_MIN)).max(1);
            if let Some(time) = plan.time_max.take() {
                let rows = whole(rate * time.as_secs_f64());
                plan.rows_max = Some(plan.rows_max.map_or(rows, |max| max.min(rows)));
            }
        }
        Self {
            plan,
            clock,
            started: time::now(),
            started_micros,
            scheduled_rows: 0,
            last_micros: started_micros,
        }
    }

    /// The next batch; `None` when all is sent or the time is up.
    pub(super) fn next(&mut self) -> Option<Turn> {
        let left = self.plan.rows_max.map_or(usize::MAX, |max| max - self.scheduled_rows);
        let rows = self.plan.batch_rows.min(left);
        let elapsed = self.started.elapsed();
        if rows == 0 || self.plan.time_max.is_some_and(|max| elapsed >= max) {
            return None;
        }
        let after = self.scheduled_rows + rows;
        let slice = match self.plan.time_span {
            Some(span) => self.slice_of_span(span, after, elapsed),
            None => self.slice_of_now(after),
        };
        let due = match self.plan.rate {
            Some(rate) => self.started + Duration::from_secs_f64(after as f64 / rate),
            None => self.started,
        };
        self.scheduled_rows = after;
        self.last_micros = slice.to_micros;
        Some(Turn { rows, slice, due })
    }

    /// The part of the span that corresponds to the part of the run that is done.
    fn slice_of_span(&self, span: Duration, after: usize, elapsed: Duration) -> TimeSlice {
        let span_micros = span.as_secs_f64() * 1e6;
        let done = match (self.plan.rows_max, self.plan.time_max) {
            (Some(max), _) => after as f64 / max as f64,
            (None, Some(max)) => elapsed.as_secs_f64() / max.as_secs_f64(),
            (None, None) => 1.0,
        };
        let first = self.started_micros - whole_micros(span_micros);
        let from_micros = if self.scheduled_rows == 0 { first } else { self.last_micros };
        let to_micros = first + whole_micros(span_micros * done);
        TimeSlice { from_micros, to_micros: to_micros.max(from_micros) }
    }

    /// What has passed since the last batch; at a given rate, what the rows take.
    fn slice_of_now(&self, after: usize) -> TimeSlice {
        let to_micros = match self.plan.rate {
            Some(rate) => self.started_micros + whole_micros(after as f64 / rate * 1e6),
            None => self.clock.now_micros(),
        };
        TimeSlice { from_micros: self.last_micros, to_micros: to_micros.max(self.last_micros) }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and neither is near its limits"
)]
fn whole(number: f64) -> usize {
    number as usize
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and spans of time are far below 2^63 µs")]
fn whole_micros(micros: f64) -> i64 {
    micros.round() as i64
}

#[cfg(test)]
mod tests {
    use hexflight_engine::SystemClock;

    use super::*;

    const START: i64 = 1_767_268_800_000_000;

    #[tokio::test]
    async fn rows_end_exactly_and_fill_the_span() {
        let plan = SchedulePlan { rows_max: Some(2_500), time_span: Some(Duration::from_secs(10)), ..plan() };

        let turns = all_turns(plan);

        assert_eq!(turns.iter().map(|turn| turn.rows).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert_eq!(
            turns[0].slice,
            TimeSlice { from_micros: START - 10_000_000, to_micros: START - 6_000_000 }
        );
        assert_eq!(turns[2].slice, TimeSlice { from_micros: START - 2_000_000, to_micros: START });
    }

    #[tokio::test]
    async fn a_rate_sets_due_times_and_small_batches() {
        let time_max = Some(Duration::from_secs(1));

        let turns = all_turns(SchedulePlan { rate: Some(100.0), time_max, ..plan() });

        assert_eq!(turns.len(), 4);
        assert!(turns.iter().all(|turn| turn.rows == 25));
        assert_eq!(turns[3].due - turns[0].due, Duration::from_millis(750));
        assert_eq!(turns[1].slice, TimeSlice { from_micros: START + 250_000, to_micros: START + 500_000 });
    }

    #[tokio::test]
    async fn without_a_rate_events_happen_between_batches() {
        let mut schedule = Schedule::start(plan(), Arc::new(SystemClock), START);

        let (first, second) = (schedule.next().unwrap(), schedule.next().unwrap());

        assert_eq!(first.slice.from_micros, START);
        assert_eq!(first.slice.to_micros, second.slice.from_micros);
    }

    fn plan() -> SchedulePlan {
        SchedulePlan { batch_rows: 1_000, rate: None, rows_max: None, time_max: None, time_span: None }
    }

    fn all_turns(plan: SchedulePlan) -> Vec<Turn> {
        let mut schedule = Schedule::start(plan, Arc::new(SystemClock), START);
        std::iter::from_fn(|| schedule.next()).collect()
    }
}
