//! Who may call. Off unless `auth_file` names users; then every call needs a password or the token that a login gave for one.
//!
//! ```text
//!  auth_file ─▶ users_file ─▶ users (hashes) ─┐        ┌─▶ flight_gate: every Flight call but Handshake
//!  Authorization ─▶ credentials ──▶ guard: check, login┴─▶ http_gate: every path but /health/… and /metrics
//!                                     │ logins (argon2id, remembered), failures, tokens, callers (connections)
//!  hexflight user ─▶ edit ─▶ users_file
//! ```
//!
//! Passwords are kept as hashes only, and appear in no error, log line or setting. A refusal never says whether a user exists.

mod role;
mod scopes;
mod caller;
mod password;
mod users;
mod users_file;
mod edit;
mod tokens;
mod credentials;
mod callers;
mod failures;
mod logins;
mod guard;
mod flight_gate;
mod http_gate;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use caller::{Caller, Forbidden};
pub(crate) use credentials::Credentials;
pub(crate) use edit::{add_user, list_users, remove_user};
pub(crate) use flight_gate::{FlightGate, forbidden, tell_peer, unauthenticated};
pub(crate) use http_gate::{is_open, require};
pub(crate) use role::Role;
pub(crate) use scopes::{Permission, Scopes};
pub(crate) use tokens::{ListedToken, NewToken};

use self::{
    guard::{Attempt, Checked, Guard},
    tokens::Bearer,
};
use crate::listen::Peer;

/// Users and their tokens.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    /// `None` lets everybody in.
    guard: Option<Arc<Guard>>,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// No credentials came with the call.
    #[error(
        "authentication is required: log in with user and password, or send the header 'authorization: Bearer' with a token"
    )]
    Missing,
    /// Credentials of no kind that we take.
    #[error(
        "the authorization header cannot be read: it must be 'Basic' with base64 of user:password, or 'Bearer' with a token"
    )]
    Malformed,
    /// The same for a user that does not exist and a password that does not fit.
    #[error("unknown user or wrong password")]
    WrongLogin,
    /// A token that was never given out, was not used for too long, or whose user was changed.
    #[error("the token is unknown or has expired: log in again")]
    StaleToken,
    /// Too many wrong passwords of this user came from there lately.
    #[error("too many failed logins of this user from here; try again in {} s", .0.as_secs() + 1)]
    TooManyFailures(Duration),
    /// More logins wait than can be verified soon.
    #[error("too many logins wait to be verified; try again in a moment")]
    Busy,
}

/// Whether a call is let in.
pub(crate) enum Decision {
    /// It is known.
    Now(Result<Caller, Denied>),
    /// A password has to be verified.
    Later(PendingLogin),
}

/// A login that waits for its turn.
pub(crate) struct PendingLogin {
    guard: Arc<Guard>,
    attempt: Attempt,
}

impl PendingLogin {
    /// Waits for it.
    pub(crate) async fn verify(self, peer: Option<&Peer>) -> Result<Caller, Denied> {
        self.guard.verify(self.attempt, peer).await.map(|bearer| caller_of(&bearer))
    }
}

fn caller_of(bearer: &Bearer) -> Caller {
    Caller { user: Some(Arc::clone(&bearer.user.name)), scopes: bearer.scopes, token: bearer.token }
}

impl Auth {
    /// Reads the users of a file.
    ///
    /// # Errors
    /// What is wrong with the file and what to do about it; never a password.
    pub(crate) fn of_file(path: PathBuf) -> Result<Self, String> {
        Ok(Self { guard: Some(Arc::new(Guard::of_file(path)?)) })
    }

    /// Whether anybody is refused at all.
    pub(crate) fn is_on(&self) -> bool {
        self.guard.is_some()
    }

    /// Who makes a call with these credentials, or with headers that could not be read, as far as that can be told at once. Whoever holds
    /// much for a call asks this first: only a few callers may wait.
    pub(crate) fn check_now(
        &self,
        credentials: Result<Option<Credentials>, Denied>,
        peer: Option<&Peer>,
    ) -> Decision {
        let Some(guard) = &self.guard else { return Decision::Now(Ok(Caller::default())) };
        match credentials.and_then(|credentials| credentials.ok_or(Denied::Missing)) {
            Err(denied) => Decision::Now(Err(denied)),
            Ok(credentials) => match guard.check_now(credentials, peer) {
                Checked::Done(known) => Decision::Now(known.map(|bearer| caller_of(&bearer))),
                Checked::Slow(attempt) => Decision::Later(PendingLogin { guard: Arc::clone(guard), attempt }),
            },
        }
    }

    /// Who makes a call.
    pub(crate) async fn check(
        &self,
        credentials: Result<Option<Credentials>, Denied>,
        peer: Option<&Peer>,
    ) -> Result<Caller, Denied> {
        match self.check_now(credentials, peer) {
            Decision::Now(known) => known,
            Decision::Later(pending) => pending.verify(peer).await,
        }
    }

    /// A token for credentials: a new one for a password, the same one for a token that is good.
    pub(crate) async fn login(
        &self,
        credentials: Credentials,
        peer: Option<&Peer>,
    ) -> Result<String, Denied> {
        match &self.guard {
            Some(guard) => guard.login(credentials, peer).await,
            None => Ok(tokens::random()),
        }
    }

    /// A token with a name for a caller, and its id; `None` when the user has too many.
    pub(crate) fn create_token(&self, caller: &Caller, new: NewToken) -> Option<(Uuid, String)> {
        self.guard.as_ref()?.create_token(caller.user.as_deref()?, new)
    }

    /// The tokens that a caller may see: all, the user's own, or the one that came with the call.
    pub(crate) fn tokens_for(&self, caller: &Caller) -> Vec<ListedToken> {
        let mut tokens =
            self.guard.as_ref().map(|guard| guard.tokens_of(own_only(caller))).unwrap_or_default();
        tokens.retain(|token| may_see(caller, token.id));
        tokens
    }

    /// Ends a token that a caller may see, and the connections that use it; whether there was one.
    pub(crate) fn revoke(&self, caller: &Caller, id: Uuid) -> bool {
        may_see(caller, id) && self.guard.as_ref().is_some_and(|guard| guard.revoke(id, own_only(caller)))
    }

    /// Reads the file again whenever it changes, until `stop`.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        if let Some(guard) = &self.guard {
            Arc::clone(guard).watch(stop).await;
        }
    }
}

/// Whether a caller may look at this one among the user's tokens.
fn may_see(caller: &Caller, id: Uuid) -> bool {
    caller.scopes.allow(Permission::Admin) || caller.token.is_none_or(|own| own == id)
}

/// The user to whom a caller is limited; `None` for who may see all.
fn own_only(caller: &Caller) -> Option<&str> {
    if caller.scopes.allow(Permission::Admin) {
        None
    } else {
        Some(caller.user.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_file_everybody_is_let_in() {
        let auth = Auth::default();
        assert!(!auth.is_on());
        assert_eq!(auth.check(Ok(None), None).await, Ok(Caller::default()));
        assert_eq!(auth.check(Err(Denied::Malformed), None).await, Ok(Caller::default()));
    }
}
