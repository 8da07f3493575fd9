//! `Asker`: on whose behalf a statement runs. The planner believes what the server says.

use std::sync::Arc;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The user, if that is known.
    pub user: Option<Arc<str>>,
    /// Whether `system.queries` shows the statements of all users, or those of this one alone.
    pub sees_all: bool,
}

impl Default for Asker {
    /// The process itself, and everybody where nobody is told apart.
    fn default() -> Self {
        Self { user: None, sees_all: true }
    }
}

impl Asker {
    /// Whether the asker may look at the statements of a user.
    #[must_use]
    pub fn sees(&self, user: Option<&Arc<str>>) -> bool {
        self.sees_all || (user.is_some() && self.user.as_ref() == user)
    }
}
