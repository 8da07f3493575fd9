//! `Finding`: something amiss with a stored object, in words for people: what a start went on in spite of, what a check has found.

use std::fmt;

/// What is amiss with one object. What a start finds is logged as a warning, and kept for the health check as long as the engine is open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The object.
    pub object: String,
    /// What is wrong with it, and what was or can be done about it.
    pub detail: String,
}

impl Finding {
    /// Names an object, what is wrong with it, and what can be done.
    pub(crate) fn new(object: impl ToString, problem: impl fmt::Display, advice: impl fmt::Display) -> Self {
        Self { object: object.to_string(), detail: format!("{problem}; {advice}") }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.detail)
    }
}
