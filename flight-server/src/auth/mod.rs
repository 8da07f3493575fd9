//! Who may call. Off unless `auth_file` names users; then every call needs a password or the token that a login gave for one.
//!
//! ```text
//!  auth_file ─▶ users_file ─▶ users (hashes) ─┐        ┌─▶ flight_gate: every Flight call but Handshake
//!  Authorization ─▶ credentials ──▶ guard: check, login┴─▶ http_gate: every path but /health/… and /metrics
//!                                     │ logins (argon2id, remembered), tokens, callers (connections)
//!  hexflight user ─▶ edit ─▶ users_file
//! ```
//!
//! Passwords are kept as hashes only, and appear in no error, log line or setting. A refusal never says whether a user exists.

mod role;
mod password;
mod users;
mod users_file;
mod edit;
mod tokens;
mod credentials;
mod callers;
mod logins;
mod guard;
mod flight_gate;
mod http_gate;

use std::{path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

pub(crate) use credentials::Credentials;
pub(crate) use edit::{add_user, list_users, remove_user};
pub(crate) use flight_gate::{FlightGate, tell_peer, unauthenticated};
pub(crate) use http_gate::require;
pub(crate) use role::Role;

use self::guard::Guard;
use crate::listen::Peer;

/// Users and their tokens.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    /// `None` lets everybody in.
    guard: Option<Arc<Guard>>,
}

/// Who makes a call; `None` where nobody is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) Option<Arc<str>>);

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
    /// More logins wait than can be verified soon.
    #[error("too many logins wait to be verified; try again in a moment")]
    Busy,
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

    /// Who makes a call with these credentials, or with headers that could not be read.
    pub(crate) async fn check(
        &self,
        credentials: Result<Option<Credentials>, Denied>,
        peer: Option<&Peer>,
    ) -> Result<Caller, Denied> {
        let Some(guard) = &self.guard else { return Ok(Caller::default()) };
        let user = guard.check(credentials?.ok_or(Denied::Missing)?, peer).await?;
        Ok(Caller(Some(Arc::clone(&user.name))))
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

    /// Reads the file again whenever it changes, until `stop`.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        if let Some(guard) = &self.guard {
            Arc::clone(guard).watch(stop).await;
        }
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
