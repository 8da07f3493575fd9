//! What a server asks of its process, and only a binary can say how: which allocator it has, and how a thread of it stands back.

use std::{sync::OnceLock, time::Duration};

static CALLS: OnceLock<ProcessCalls> = OnceLock::new();

/// Calls of the allocator and of the system that have no safe name.
#[derive(Debug, Clone, Copy)]
pub struct ProcessCalls {
    /// Gives memory that was freed, and that the allocator keeps, back to the system.
    pub give_back: fn(),
    /// From now on memory that was freed goes back to the system after this time, not before.
    pub keep_freed: fn(Duration),
    /// Lets the calling thread wait as long as other threads have work.
    pub stand_back: fn(),
}

impl ProcessCalls {
    /// Says how. To be called once, before a server is started; without it a server keeps memory for longer, and its threads are all alike.
    pub fn install(self) {
        // The first one holds.
        let _second = CALLS.set(self);
    }

    pub(crate) fn installed() -> Option<Self> {
        CALLS.get().copied()
    }
}
