//! Pressure: what happens when memory is short in spite of all budgets. A thread looks at the process's own size and at the budget. It gives
//! freed memory back to the system when the allocator keeps much of it, tells the budget how much the process has that is not reserved, so that queries get
//! less and spill earlier, ends the query that holds most when the process outgrows its limit,
//! and one whose reader has stopped reading when others could use its memory. Of queries that spill it ends the one that has spilled most before
//! the disk is full: appends need what is left.
//! A thread and no task: the threads of queries may all be at work.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use hexflight_engine::{
    Budget, disk, tasks,
    time::{self, Instant},
};
use rustix::fs::statvfs;

use super::planner::Planner;
use crate::{
    admission::{Admission, Class},
    memory::ClassPools,
    options::QueryOptions,
    turn::StopReason,
    watch::{LoggedQuery, QueryLog},
};

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(25);

/// How often freed memory is given back at most: it is cleared by the system before anybody has it again.
const GIVE_BACK_INTERVAL: Duration = Duration::from_millis(50);

/// Memory beyond what is reserved that the process may keep: so much, or this part of the limit. **Units**: bytes.
const KEPT_BYTES_MIN: usize = 64 << 20;
const KEPT_PART: usize = 4;

/// What the process may have beyond what is reserved before queries get less: so much, or this part of the limit. **Units**: bytes.
const UNCOUNTED_BYTES_MIN: usize = 32 << 20;
const UNCOUNTED_PART: usize = 16;

/// Part of the limit from which it keeps nothing, and what is not counted is taken from queries.
const FULL_SHARE: f64 = 0.75;

/// How long a query that was ended may take to give back its memory before the next one is.
const GRACE: Duration = Duration::from_secs(2);

/// A reader that takes nothing for so long has stopped reading.
const UNREAD_MAX: Duration = Duration::from_secs(5);

/// The same while appends have waited for memory for [`APPEND_WAIT_MAX`], for whatever reason.
const UNREAD_BESIDE_APPENDS_MAX: Duration = Duration::from_secs(3);
/// The same while flushed rows that are still read are much: they stay as long as somebody may read them, and appends would soon wait for them.
const UNREAD_BESIDE_FLUSHED_MAX: Duration = Duration::from_secs(1);
/// Time in which appends waited less time in which none did, which counts up to the second.
const APPEND_WAIT_MAX: Duration = Duration::from_secs(1);
const APPEND_WAIT_KEPT: Duration = Duration::from_secs(2);
/// Then the next is ended after so long.
const GRACE_BESIDE_APPENDS: Duration = Duration::from_millis(500);

/// Part of the budget in use from which others could use what unread results hold.
const SHORT_SHARE: f64 = 0.75;

/// Space of the disk that spilled rows leave to everything else. **Units**: bytes.
const SPILL_FREE_MIN: u64 = 256 << 20;

/// Below this a query is not what makes a process large. **Units**: bytes.
const LARGE_BYTES: usize = 1 << 20;

/// Pages of memory as Linux counts them for a process. **Units**: bytes.
const PAGE_BYTES: usize = 4 << 10;

/// What it looks at. It holds nothing that holds the engine, and ends when the query engine has.
#[derive(Debug)]
pub(super) struct Watch {
    log: Weak<QueryLog>,
    budget: Arc<Budget>,
    pools: ClassPools,
    admission: Weak<Admission>,
    process_bytes_max: usize,
    spill_directory: Option<PathBuf>,
    give_back: Option<fn()>,
    given_back: Instant,
    last_end: Option<Instant>,
    last_reader_end: Option<Instant>,
    appends: AppendsWait,
}

impl Watch {
    pub(super) fn new(
        log: &Arc<QueryLog>,
        planner: &Planner,
        admission: &Arc<Admission>,
        options: &QueryOptions,
    ) -> Self {
        Self {
            log: Arc::downgrade(log),
            budget: Arc::clone(planner.engine().budget()),
            pools: planner.memory().clone(),
            admission: Arc::downgrade(admission),
            process_bytes_max: options.process_bytes_max.unwrap_or(usize::MAX),
            spill_directory: options.spill_directory.clone(),
            give_back: options.give_back,
            given_back: time::now(),
            last_end: None,
            last_reader_end: None,
            appends: AppendsWait { looked: time::now(), of_late: Duration::ZERO },
        }
    }

    /// Looks until the query engine is gone.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(super) fn start(mut self) -> std::io::Result<()> {
        let look = move || {
            while self.look() {
                thread::sleep(INTERVAL);
            }
        };
        tasks::thread("hexflight-memory", look)
    }

    /// Whether there is anything to look at.
    fn look(&mut self) -> bool {
        let (Some(log), Some(admission)) = (self.log.upgrade(), self.admission.upgrade()) else {
            return false;
        };
        let size = process_size();
        show(size.map(|size| size.resident));
        let own = size.map_or(0, |size| size.own);
        self.give_back(own);
        self.budget.set_uncounted(self.uncounted(own));
        let is_long = self.appends.note(self.budget.waiting() > 0, time::now()) >= APPEND_WAIT_MAX;
        if self.budget.flushed_is_much() {
            self.end_reader(&log, UNREAD_BESIDE_FLUSHED_MAX);
        } else if is_long {
            self.end_reader(&log, UNREAD_BESIDE_APPENDS_MAX);
        }
        let grace = if is_long { GRACE_BESIDE_APPENDS } else { GRACE };
        if self.last_end.is_some_and(|end| end.elapsed() < grace) {
            return true;
        }
        let is_large = own > self.process_bytes_max;
        let could_be_used = is_short(&self.budget)
            || self.pools.is_short(Class::Small)
            || admission.large_queued() > 0 && self.pools.is_short(Class::Large);
        if is_large && end_largest(&log, own, self.process_bytes_max)
            || could_be_used && end_unread(&log)
            || self.little_space().is_some_and(|free| end_spilling(&log, free))
        {
            self.last_end = Some(time::now());
        }
        true
    }

    /// Ends a reader that keeps flushed rows, and waits a little before the next: what it kept is given back bit by bit.
    fn end_reader(&mut self, log: &QueryLog, unread_max: Duration) {
        let rests = self.last_reader_end.is_some_and(|end| end.elapsed() < GRACE_BESIDE_APPENDS);
        if !rests && end_oldest_unread(log, unread_max) {
            self.last_reader_end = Some(time::now());
        }
    }

    /// What is left of the disk for spilled rows, if that is little. **Units**: bytes.
    fn little_space(&self) -> Option<u64> {
        let system = statvfs(self.spill_directory.as_ref()?).ok()?;
        Some(system.f_bavail.saturating_mul(system.f_frsize)).filter(|free| *free < SPILL_FREE_MIN)
    }

    /// What the process has beyond what is reserved, as far as it is more than usual; nothing while there is room enough. **Units**: bytes.
    fn uncounted(&self, own: usize) -> usize {
        if own <= self.budget.share(FULL_SHARE) {
            return 0;
        }
        let usual = (self.budget.limit() / UNCOUNTED_PART).max(UNCOUNTED_BYTES_MIN);
        own.saturating_sub(self.budget.used()).saturating_sub(usual)
    }

    fn give_back(&mut self, own: usize) {
        let Some(give_back) = self.give_back else { return };
        let kept = own.saturating_sub(self.budget.used());
        let kept_max = (self.budget.limit() / KEPT_PART).max(KEPT_BYTES_MIN);
        let is_much = kept > kept_max || own > self.budget.share(FULL_SHARE);
        if is_much && self.given_back.elapsed() >= GIVE_BACK_INTERVAL {
            give_back();
            self.given_back = time::now();
        }
    }
}

/// How long appends have waited of late: memory that is freed bit by bit lets one after the other in, and all of them wait.
#[derive(Debug)]
struct AppendsWait {
    looked: Instant,
    of_late: Duration,
}

impl AppendsWait {
    /// Adds the time since the last look if an append waits, and takes it off if none does.
    fn note(&mut self, is_waiting: bool, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.looked);
        self.looked = now;
        self.of_late = match is_waiting {
            true => (self.of_late + passed).min(APPEND_WAIT_KEPT),
            false => self.of_late.saturating_sub(passed),
        };
        self.of_late
    }
}

fn is_short(budget: &Budget) -> bool {
    budget.waiting() > 0 || budget.used() > budget.share(SHORT_SHARE)
}

fn end_largest(log: &QueryLog, own: usize, limit: usize) -> bool {
    let running = log.running();
    let Some(largest) = running.iter().max_by_key(|query| query.memory().used()) else { return false };
    let sentence = format!(
        "the process has {} MiB of memory, more than its limit of {} MiB; this query, the largest, was ended",
        own >> 20,
        limit >> 20,
    );
    end(largest, sentence, "process_size");
    true
}

fn end_unread(log: &QueryLog) -> bool {
    let mut unread = log.running();
    unread.retain(|query| query.unread_for().is_some_and(|unread| unread >= UNREAD_MAX));
    let largest = unread.iter().max_by_key(|query| query.memory().used());
    let Some(largest) = largest.filter(|query| query.memory().used() >= LARGE_BYTES) else { return false };
    let sentence = format!(
        "memory is short and nobody has read this query's rows for {UNREAD_MAX:?}; it held {} MiB and was ended",
        largest.memory().used() >> 20,
    );
    end(largest, sentence, "unread");
    true
}

/// What a query may read stays in memory as it was when it began: the oldest keeps what nobody else does.
fn end_oldest_unread(log: &QueryLog, unread_max: Duration) -> bool {
    let mut unread = log.running();
    unread.retain(|query| query.unread_for().is_some_and(|unread| unread >= unread_max));
    let Some(oldest) = unread.iter().min_by_key(|query| query.id) else { return false };
    let sentence = format!(
        "events need memory that this query keeps, and nobody has read its rows for {unread_max:?}; it was ended",
    );
    end(oldest, sentence, "unread");
    true
}

fn end_spilling(log: &QueryLog, free: u64) -> bool {
    let running = log.running();
    let spilled = running.iter().map(|query| (query.report().spilled_bytes, query));
    let Some((bytes, largest)) = spilled.max_by_key(|(bytes, _)| *bytes).filter(|(bytes, _)| *bytes > 0)
    else {
        return false;
    };
    let sentence = format!(
        "the query needs more memory than is left for queries, and the disk has no space for what it spills: {} MiB so far, and {} MiB are left",
        bytes >> 20,
        free >> 20,
    );
    end(largest, sentence, "spill_space");
    true
}

fn end(query: &LoggedQuery, sentence: String, cause: &'static str) {
    tracing::warn!(query_id = query.id, bytes = query.memory().used(), "{sentence}");
    metrics::counter!("hexflight_query_memory_ends_total", "cause" => cause).increment(1);
    query.stop.stop(StopReason::Memory(sentence));
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and bytes need no more than its 53 bits")]
fn show(resident: Option<usize>) {
    if let Some(resident) = resident {
        metrics::gauge!("hexflight_memory_process_bytes").set(resident as f64);
    }
}

/// Memory of this process. **Units**: bytes.
#[derive(Debug, Clone, Copy)]
struct ProcessSize {
    /// All of it.
    resident: usize,
    /// Without what it has in common with files: its code, above all.
    own: usize,
}

/// `None` where the system does not tell.
fn process_size() -> Option<ProcessSize> {
    let text = disk::read_text(Path::new("/proc/self/statm")).ok()?;
    let mut pages = text.split_ascii_whitespace().skip(1).map_while(|field| field.parse::<usize>().ok());
    let (resident, shared) = (pages.next()? * PAGE_BYTES, pages.next()? * PAGE_BYTES);
    Some(ProcessSize { resident, own: resident.saturating_sub(shared) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{array::RecordBatch, datatypes::Schema};

    use super::*;
    use crate::{
        results::{WaitingMax, results},
        turn::Stop,
        watch::Asker,
    };

    #[test]
    fn beside_appends_that_wait_the_oldest_that_nobody_reads_is_ended() {
        let log = QueryLog::default();
        let stops: Vec<Stop> = (0..3).map(|_| Stop::default()).collect();
        let runs: Vec<_> = stops.iter().map(|stop| log.start("SELECT 1", &Asker::default(), stop)).collect();
        let results: Vec<_> = runs.iter().map(|_| results(WaitingMax { batches: 1, bytes: 1 })).collect();
        for (run, (sender, _reader)) in runs.iter().zip(&results) {
            run.query().read_by(sender.watch());
        }
        assert!(!end_oldest_unread(&log, Duration::ZERO), "nothing waits for a reader");
        for (sender, _reader) in &results[1..] {
            sender.push(Ok(RecordBatch::new_empty(Arc::new(Schema::empty()))), None);
        }
        assert!(!end_oldest_unread(&log, Duration::from_secs(3_600)));
        assert!(end_oldest_unread(&log, Duration::ZERO));
        let ended: Vec<bool> = stops.iter().map(|stop| stop.reason().is_some()).collect();
        assert_eq!(ended, [false, true, false]);
    }

    #[test]
    fn waits_that_come_and_go_add_up_and_are_forgotten() {
        let start = time::now();
        let mut appends = AppendsWait { looked: start, of_late: Duration::ZERO };
        let mut note = |is_waiting, ms: u64| appends.note(is_waiting, start + Duration::from_millis(ms));
        assert_eq!(note(true, 600), Duration::from_millis(600));
        assert_eq!(note(false, 700), Duration::from_millis(500));
        assert!(note(true, 1_200) >= APPEND_WAIT_MAX);
        assert_eq!(note(true, 60_000), APPEND_WAIT_KEPT);
        assert_eq!(note(false, 61_500), Duration::from_millis(500));
        assert_eq!(note(false, 90_000), Duration::ZERO);
    }

    #[test]
    fn the_process_has_a_size_on_linux() {
        if cfg!(target_os = "linux") {
            assert!(process_size().is_some_and(|size| size.own > 1 << 20 && size.resident > size.own));
        }
    }

    #[test]
    fn the_largest_is_ended_and_says_so() {
        let log = QueryLog::default();
        assert!(!end_largest(&log, 3 << 30, 2 << 30));
        let stop = Stop::default();
        let _run = log.start("SELECT 1", &Asker::default(), &stop);
        assert!(end_largest(&log, 3 << 30, 2 << 30));
        let Some(StopReason::Memory(sentence)) = stop.reason() else { panic!("not ended") };
        assert!(sentence.contains("3072 MiB") && sentence.contains("2048 MiB"), "{sentence}");
        assert!(!end_unread(&log));
    }
}
