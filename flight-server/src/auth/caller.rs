//! `Caller`: who makes a call and what it may do.

use std::sync::Arc;

use hexflight_planner::Asker;
use uuid::Uuid;

use super::scopes::{Permission, Scopes};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// `None` where nobody is asked.
    pub(crate) user: Option<Arc<str>>,
    /// What the user's role and the token let it do.
    pub(crate) scopes: Scopes,
    /// The token with a name that came with the call; of a password or a login, none.
    pub(crate) token: Option<Uuid>,
}

impl Default for Caller {
    /// Everybody, where nobody is asked.
    fn default() -> Self {
        Self { user: None, scopes: Scopes::all(), token: None }
    }
}

/// A caller who is known lacks a permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} may not {}: this needs the permission '{}', and there is {}", user(.caller), what(*.needed), .needed.name(), held(.caller))]
pub(crate) struct Forbidden {
    caller: Caller,
    needed: Permission,
}

fn user(caller: &Caller) -> String {
    caller.user.as_ref().map_or_else(|| "nobody".to_owned(), |user| format!("user '{user}'"))
}

fn what(needed: Permission) -> &'static str {
    match needed {
        Permission::Read => "ask",
        Permission::Write => "send events",
        Permission::Admin => "do this",
    }
}

fn held(caller: &Caller) -> String {
    let names = caller.scopes.names();
    if names.is_empty() { "none".to_owned() } else { format!("only {}", names.join(" and ")) }
}

impl Caller {
    /// Asks for a permission.
    pub(crate) fn require(&self, needed: Permission) -> Result<(), Forbidden> {
        if self.scopes.allow(needed) {
            return Ok(());
        }
        Err(Forbidden { caller: self.clone(), needed })
    }

    /// On whose behalf the planner runs the caller's statements.
    pub(crate) fn asker(&self) -> Asker {
        Asker { user: self.user.clone(), sees_all: self.scopes.allow(Permission::Admin) }
    }
}
