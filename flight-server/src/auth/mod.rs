//! Who may call. Off unless `auth_file` names users; then every call needs a password or the token that a login gave for one.
//!
//! ```text
//!  auth_file ─▶ users (hashes) ─┐
//!  Authorization ─▶ credentials ┴▶ Auth::check ─┬─▶ flight_gate: every Flight call but Handshake
//!                     tokens ◀── Auth::login    └─▶ http_gate: every path but /health/… and /metrics
//! ```
//!
//! Passwords are kept as keyed hashes only, and appear in no error, log line or setting. A refusal never says whether a user exists.

mod users;
mod tokens;
mod credentials;
mod flight_gate;
mod http_gate;

use std::{path::Path, sync::Arc, time::Instant};

use axum::http::HeaderMap;

pub(crate) use credentials::Credentials;
pub(crate) use flight_gate::{FlightGate, unauthenticated};
pub(crate) use http_gate::require;

use self::{tokens::Tokens, users::Users};

/// Users and their tokens.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    /// `None` lets everybody in.
    users: Option<Users>,
    tokens: Tokens,
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
    /// A token that was never given out, or not used for too long.
    #[error("the token is unknown or has expired: log in again")]
    StaleToken,
}

impl Auth {
    /// Reads the users of a file.
    ///
    /// # Errors
    /// What is wrong with the file and what to do about it; never a password.
    pub(crate) fn of_file(path: &Path) -> Result<Self, String> {
        Ok(Self { users: Some(Users::read(path)?), tokens: Tokens::default() })
    }

    /// Whether anybody is refused at all.
    pub(crate) fn is_on(&self) -> bool {
        self.users.is_some()
    }

    /// Who makes the call that these headers came with.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        let Some(users) = &self.users else { return Ok(Caller::default()) };
        let caller = match Credentials::of_headers(headers)?.ok_or(Denied::Missing)? {
            Credentials::Basic { user, password } => users.verify(&user, &password),
            Credentials::Bearer(token) => return self.owner_of(&token),
        };
        caller.map(|user| Caller(Some(user))).ok_or(Denied::WrongLogin)
    }

    /// A token for credentials: a new one for a password, the same one for a token that is good.
    pub(crate) fn login(&self, credentials: Credentials) -> Result<String, Denied> {
        let Some(users) = &self.users else { return Ok(tokens::random()) };
        match credentials {
            Credentials::Basic { user, password } => {
                let user = users.verify(&user, &password).ok_or(Denied::WrongLogin)?;
                Ok(self.tokens.issue(user, Instant::now()))
            }
            Credentials::Bearer(token) => self.owner_of(&token).map(|_| token),
        }
    }

    fn owner_of(&self, token: &str) -> Result<Caller, Denied> {
        let owner = self.tokens.owner(token, Instant::now()).ok_or(Denied::StaleToken)?;
        Ok(Caller(Some(owner)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_everybody_is_let_in() {
        let auth = Auth::default();
        assert!(!auth.is_on());
        assert_eq!(auth.check(&HeaderMap::new()), Ok(Caller::default()));
        let nonsense =
            HeaderMap::from_iter([("authorization".parse().unwrap(), "Bearer None".parse().unwrap())]);
        assert_eq!(auth.check(&nonsense), Ok(Caller::default()));
    }

    #[test]
    fn a_login_gives_a_token_that_is_good_for_calls_and_logins() {
        let auth = Auth { users: Some(Users::parse("ada:secret").unwrap()), tokens: Tokens::default() };
        let basic =
            |password: &str| Credentials::Basic { user: "ada".to_owned(), password: password.to_owned() };
        let token = auth.login(basic("secret")).unwrap();
        let header = format!("Bearer {token}").parse().unwrap();
        let headers = HeaderMap::from_iter([("authorization".parse().unwrap(), header)]);
        assert_eq!(auth.check(&headers).unwrap().0.as_deref(), Some("ada"));
        assert_eq!(auth.login(Credentials::Bearer(token.clone())), Ok(token));
        assert_eq!(auth.login(basic("Secret")), Err(Denied::WrongLogin));
        assert_eq!(auth.login(Credentials::Bearer("guess".to_owned())), Err(Denied::StaleToken));
        assert_eq!(auth.check(&HeaderMap::new()), Err(Denied::Missing));
    }
}
