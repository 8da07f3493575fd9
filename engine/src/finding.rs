//! `Finding`: something amiss that a start could go on in spite of, in words for people.

use std::fmt;

/// What a start found amiss. It is logged as a warning, and kept for the health check as long as the engine is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The object.
    pub object: String,
    /// What is wrong with it, and what was done about it.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.detail)
    }
}
