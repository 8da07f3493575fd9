//! `Ledger`: who holds how much of a budget, and which rule stands in the way of more. Pure: it neither waits nor wakes anybody.
//!
//! ```text
//!  |<------ events on their way to files: 5/10 ------>|
//!            |<-------- queries and their caches: 6/10 -------->|
//!  |<----------- both together: 8/10 ------------------------>|<- small queries: 1/10 ->|<- the rest: what frees memory ->|
//! ```
//! Queries are never given more than 6/10, so two tenths are left that only events may take, whatever readers do. Flushed rows that a query
//! still reads count as queries', and may take them beyond: then events keep their two tenths as long as there is memory at all. Small queries have a tenth
//! that nobody else may take: a question that needs some KiB does not wait for those that need all. The rest is for sealing and encoding,
//! which free memory and ask nobody. What the process has that is not counted, where it is much, is taken from the share of queries, for it is
//! they who make it: rows that are decoded, hash tables that grow, what the allocator keeps.

use crate::error::EngineError;

/// When a refused caller is told to come back. **Units**: ms.
pub(crate) const RETRY_MS: u64 = 1_000;

/// Shares of the limit, in tenths.
const TENTHS: usize = 10;
const EVENTS_TENTHS: usize = 5;
const QUERIES_TENTHS: usize = 6;
const TOGETHER_TENTHS: usize = 8;
/// What events have whatever queries hold.
const EVENTS_ALONE_TENTHS: usize = TOGETHER_TENTHS - QUERIES_TENTHS;
/// From here on flushed rows that queries still read are much.
const FLUSHED_TENTHS: usize = 4;
const SMALL_QUERIES_TENTHS: usize = 1;
/// What is not counted takes this much from queries at most.
const UNCOUNTED_TENTHS: usize = 2;

/// Who holds memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Events on their way to files: bodies, batches, rows in memory, loads and merges.
    Events,
    /// Queries, and what they keep of files.
    Queries,
    /// Rows that queries still read where they lay before they were flushed or sorted; they count as queries'.
    Flushed,
    /// Queries that need little.
    SmallQueries,
    /// What frees memory: sealing and encoding. Also everything in a budget that is not shared.
    Work,
}

/// A rule that has no room for what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortage {
    /// Who shares what the rule is about, and the setting behind it.
    by: &'static str,
    used: usize,
    limit: usize,
}

impl Shortage {
    pub(super) fn refuse(self, requested: usize) -> EngineError {
        let Self { by, used, limit } = self;
        EngineError::Exhausted { requested, by, used, limit, retry_ms: RETRY_MS }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    limit: usize,
    events: usize,
    queries: usize,
    flushed: usize,
    small_queries: usize,
    work: usize,
    peak: usize,
    /// What the process has beyond what is held, as far as it is more than usual.
    uncounted: usize,
}

impl Ledger {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, events: 0, queries: 0, flushed: 0, small_queries: 0, work: 0, peak: 0, uncounted: 0 }
    }

    pub(super) fn used(&self) -> usize {
        self.events + self.of_queries() + self.small_queries + self.work
    }

    /// Who holds how much, by the names that metrics show. **Units**: bytes.
    pub(super) fn shares(&self) -> [(&'static str, usize); 5] {
        [
            ("events", self.events),
            ("queries", self.queries),
            ("flushed", self.flushed),
            ("small_queries", self.small_queries),
            ("work", self.work),
        ]
    }

    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// Most that events may take. **Units**: bytes.
    pub(super) fn events_max(&self) -> usize {
        self.tenths(EVENTS_TENTHS)
    }

    /// Most that queries may take. **Units**: bytes.
    pub(super) fn queries_max(&self) -> usize {
        self.tenths(QUERIES_TENTHS)
    }

    /// Whether flushed rows that queries still read take most of what queries may have.
    pub(super) fn flushed_is_much(&self) -> bool {
        self.flushed > self.tenths(FLUSHED_TENTHS)
    }

    /// What queries hold, flushed rows that they still read among it.
    fn of_queries(&self) -> usize {
        self.queries + self.flushed
    }

    /// Most that small queries may take. **Units**: bytes.
    pub(super) fn small_queries_max(&self) -> usize {
        self.tenths(SMALL_QUERIES_TENTHS)
    }

    /// Says how much the process has beyond what is held and what is usual. **Units**: bytes.
    pub(super) fn set_uncounted(&mut self, bytes: usize) {
        self.uncounted = bytes.min(self.tenths(UNCOUNTED_TENTHS));
    }

    fn tenths(&self, tenths: usize) -> usize {
        self.limit.saturating_mul(tenths) / TENTHS
    }

    /// The first rule that refuses `bytes` more for `holder`, with `cap` for all that is held.
    pub(super) fn shortage(&self, holder: Holder, bytes: usize, cap: usize) -> Option<Shortage> {
        let rules = self.rules(holder, cap);
        rules.into_iter().flatten().find(|rule| rule.used.saturating_add(bytes) > rule.limit)
    }

    /// The rule about the holder's own share, or about everything, with what is used of it.
    pub(super) fn held_by(&self, holder: Holder, cap: usize) -> Shortage {
        let [own, _, all] = self.rules(holder, cap);
        own.or(all).expect("there is a rule about everything")
    }

    /// What would have to be given back by queries before `bytes` fit; 0 where that does not help.
    pub(super) fn reclaimable(&self, holder: Holder, bytes: usize, cap: usize) -> usize {
        let lacking = |rule: Shortage| rule.used.saturating_add(bytes).saturating_sub(rule.limit);
        let [own, together, all] = self.rules(holder, cap).map(|rule| rule.map_or(0, lacking));
        match holder {
            Holder::Events | Holder::SmallQueries if own > 0 => 0,
            _ => own.max(together).max(all),
        }
    }

    /// The rule about the holder's own share, about the sum of events and queries, and about everything.
    fn rules(&self, holder: Holder, cap: usize) -> [Option<Shortage>; 3] {
        let together = Shortage {
            by: "events and queries together (8/10 of memory_limit)",
            used: self.events + self.of_queries(),
            limit: self.tenths(TOGETHER_TENTHS),
        };
        let all = Shortage { by: "all together (memory_limit)", used: self.used(), limit: cap };
        match holder {
            Holder::Events => {
                let by = "events on their way to files (5/10 of memory_limit)";
                let own = Shortage { by, used: self.events, limit: self.events_max() };
                let beside = self.of_queries() + self.tenths(EVENTS_ALONE_TENTHS);
                let together = Shortage { limit: together.limit.max(beside), ..together };
                [Some(own), Some(together), Some(all)]
            }
            Holder::Queries | Holder::Flushed => {
                let by = "queries and their caches (6/10 of memory_limit)";
                let own =
                    Shortage { by, used: self.of_queries(), limit: self.queries_max() - self.uncounted };
                let together = Shortage { limit: together.limit - self.uncounted, ..together };
                [Some(own), Some(together), Some(all)]
            }
            Holder::SmallQueries => {
                let by = "small queries (1/10 of memory_limit)";
                let own = Shortage { by, used: self.small_queries, limit: self.small_queries_max() };
                // Whoever holds the rest: what frees memory asks nobody, and takes nothing of this.
                [Some(own), None, None]
            }
            Holder::Work => [None, None, Some(all)],
        }
    }

    pub(super) fn take(&mut self, holder: Holder, bytes: usize) {
        *self.held(holder) += bytes;
        self.peak = self.peak.max(self.used());
    }

    pub(super) fn give_back(&mut self, holder: Holder, bytes: usize) {
        let held = self.held(holder);
        assert!(*held >= bytes, "{holder:?} gave back {bytes} of {held} bytes");
        *held -= bytes;
    }

    fn held(&mut self, holder: Holder) -> &mut usize {
        match holder {
            Holder::Events => &mut self.events,
            Holder::Queries => &mut self.queries,
            Holder::Flushed => &mut self.flushed,
            Holder::SmallQueries => &mut self.small_queries,
            Holder::Work => &mut self.work,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1_000;

    #[test]
    fn queries_leave_two_tenths_to_events_whatever_they_ask_for() {
        let mut ledger = Ledger::new(LIMIT);
        assert_eq!(ledger.shortage(Holder::Queries, 600, LIMIT), None);
        ledger.take(Holder::Queries, 600);
        let refused = ledger.shortage(Holder::Queries, 1, LIMIT).unwrap();
        assert!(refused.by.contains("queries and their caches"), "{refused:?}");
        assert_eq!(ledger.shortage(Holder::Events, 200, LIMIT), None);
        assert!(ledger.shortage(Holder::Events, 201, LIMIT).is_some());
    }

    #[test]
    fn flushed_rows_that_queries_still_read_leave_two_tenths_to_events() {
        let mut ledger = Ledger::new(LIMIT);
        ledger.take(Holder::Queries, 600);
        ledger.take(Holder::Events, 200);
        // Flushed, and read on: they change hands without asking.
        ledger.give_back(Holder::Events, 150);
        ledger.take(Holder::Flushed, 150);
        assert_eq!(ledger.shortage(Holder::Events, 150, LIMIT), None);
        let refused = ledger.shortage(Holder::Events, 151, LIMIT).unwrap();
        assert!(refused.by.contains("together"), "{refused:?}");
        assert!(ledger.shortage(Holder::Queries, 1, LIMIT).is_some());
        ledger.take(Holder::Flushed, 150);
        let refused = ledger.shortage(Holder::Events, 51, LIMIT).unwrap();
        assert!(refused.by.contains("(memory_limit)"), "{refused:?}");
        assert_eq!(ledger.shortage(Holder::Events, 50, LIMIT), None);
    }

    #[test]
    fn flushed_rows_are_much_by_themselves() {
        let mut ledger = Ledger::new(LIMIT);
        ledger.take(Holder::Queries, 200);
        ledger.take(Holder::Flushed, 400);
        assert!(!ledger.flushed_is_much());
        assert!(ledger.shortage(Holder::Queries, 1, LIMIT).is_some());
        ledger.take(Holder::Flushed, 1);
        assert!(ledger.flushed_is_much());
        ledger.give_back(Holder::Flushed, 401);
        assert_eq!((ledger.flushed_is_much(), ledger.used()), (false, 200));
    }

    #[test]
    fn events_leave_three_tenths_to_queries() {
        let mut ledger = Ledger::new(LIMIT);
        ledger.take(Holder::Events, 500);
        assert!(ledger.shortage(Holder::Events, 1, LIMIT).is_some());
        assert_eq!(ledger.shortage(Holder::Queries, 300, LIMIT), None);
        assert!(ledger.shortage(Holder::Queries, 301, LIMIT).is_some());
    }

    #[test]
    fn small_queries_have_a_tenth_that_nobody_else_takes() {
        let mut ledger = Ledger::new(LIMIT);
        ledger.take(Holder::Queries, 400);
        ledger.take(Holder::Events, 400);
        assert!(ledger.shortage(Holder::Queries, 1, LIMIT).is_some());
        assert_eq!(ledger.shortage(Holder::SmallQueries, 100, LIMIT), None);
        ledger.take(Holder::SmallQueries, 100);
        let refused = ledger.shortage(Holder::SmallQueries, 1, LIMIT).unwrap();
        assert!(refused.by.contains("small queries"), "{refused:?}");
        assert_eq!(ledger.reclaimable(Holder::SmallQueries, 50, LIMIT), 0);
        assert_eq!(ledger.used(), 900);
    }

    #[test]
    fn what_is_not_counted_is_taken_from_queries_alone() {
        let mut ledger = Ledger::new(LIMIT);
        ledger.set_uncounted(150);
        assert_eq!(ledger.shortage(Holder::Queries, 450, LIMIT), None);
        assert!(ledger.shortage(Holder::Queries, 451, LIMIT).is_some());
        ledger.take(Holder::Events, 400);
        assert_eq!(ledger.shortage(Holder::Queries, 250, LIMIT), None);
        assert!(ledger.shortage(Holder::Queries, 251, LIMIT).is_some());
        assert_eq!(ledger.shortage(Holder::Events, 100, LIMIT), None);
        ledger.set_uncounted(10 * LIMIT);
        assert_eq!(ledger.shortage(Holder::Queries, 200, LIMIT), None);
        ledger.set_uncounted(0);
        assert_eq!(ledger.shortage(Holder::Queries, 400, LIMIT), None);
    }

    #[test]
    fn caches_are_asked_for_what_they_can_help_with_only() {
        let mut ledger = Ledger::new(LIMIT);
        ledger.take(Holder::Queries, 400);
        ledger.take(Holder::Events, 400);
        assert_eq!(ledger.reclaimable(Holder::Events, 50, LIMIT), 50);
        assert_eq!(ledger.reclaimable(Holder::Events, 150, LIMIT), 0);
        assert_eq!(ledger.reclaimable(Holder::Queries, 150, LIMIT), 150);
    }

    #[test]
    fn work_is_bounded_by_all_that_is_held() {
        let mut ledger = Ledger::new(LIMIT);
        ledger.take(Holder::Queries, 600);
        assert_eq!(ledger.shortage(Holder::Work, 400, LIMIT), None);
        ledger.take(Holder::Work, 400);
        assert!(ledger.shortage(Holder::Work, 1, LIMIT).is_some());
        assert!(ledger.shortage(Holder::Events, 1, LIMIT).is_some());
        ledger.give_back(Holder::Work, 400);
        assert_eq!((ledger.used(), ledger.peak()), (600, 1_000));
    }
}
