//! `Class`: whether a query is small, and of which class the threads are.

use std::cell::Cell;

/// How much work a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Answered from rollups, or from few rows.
    Small,
    /// All others.
    Large,
}

thread_local! {
    static OF_THREAD: Cell<Class> = const { Cell::new(Class::Small) };
}

impl Class {
    /// Whose threads these are, of which this is one. What queries wait for each other for is kept apart by this: a large one may hold it for as
    /// long as its thread is busy.
    pub(crate) fn of_thread() -> Self {
        OF_THREAD.get()
    }

    /// Says that this is a thread for queries of this class.
    pub(crate) fn set_of_thread(self) {
        OF_THREAD.set(self);
    }
}
