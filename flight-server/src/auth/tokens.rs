//! Tokens. A login gives one out that is good until it was not used for twelve hours; others are made with a name, some scopes and an end.
//! Kept by hash: whoever reads this memory, or measures how long a look-up takes, learns no token.

use std::{collections::HashMap, sync::Arc, time::Duration};

use blake3::Hash;
use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{scopes::Scopes, users::User};
use hexflight_engine::{Ids as _, SystemIds, time::Instant};

/// Tokens of logins that a user has; a login beyond that ends the user's own that was not used for longest.
const LOGINS_MAX: usize = 1_000;

/// Tokens with a name that a user has; one more is refused, because somebody relies on each.
const NAMED_MAX: usize = 1_000;

/// How long the token of a login is good after its last use.
const LOGIN_FOR: Duration = Duration::from_hours(12);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_hash: Mutex<HashMap<Hash, Token>>,
}

#[derive(Debug)]
struct Token {
    id: Uuid,
    user: Arc<User>,
    scopes: Scopes,
    kind: TokenKind,
}

#[derive(Debug)]
enum TokenKind {
    Login { used: Instant },
    Named { name: Box<str>, until: Instant },
}

/// A token that is asked for by name.
#[derive(Debug)]
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) scopes: Scopes,
    pub(crate) lasts: Duration,
}

/// What is told of a token: all but the token.
#[derive(Debug)]
pub(crate) struct ListedToken {
    pub(crate) id: Uuid,
    pub(crate) user: Arc<str>,
    /// `None` of a login.
    pub(crate) name: Option<String>,
    pub(crate) scopes: Scopes,
    /// How long it is good from now on, if it is not used.
    pub(crate) lasts: Duration,
}

/// The user of a token, and what the token lets do.
pub(super) struct Bearer {
    pub(super) user: Arc<User>,
    pub(super) scopes: Scopes,
    /// Of a token with a name.
    pub(super) token: Option<Uuid>,
}

impl Bearer {
    /// Who has shown the password.
    pub(super) fn of_user(user: Arc<User>) -> Self {
        Self { scopes: Scopes::of(user.role), user, token: None }
    }
}

impl Tokens {
    /// A token for who has logged in.
    pub(super) fn issue(&self, user: Arc<User>, now: Instant) -> String {
        let mut tokens = self.lock();
        tokens.make_room(&user, now);
        let scopes = Scopes::of(user.role);
        tokens.insert(Token { id: SystemIds.random(), user, scopes, kind: TokenKind::Login { used: now } })
    }

    /// A token with a name; `None` when the user has too many.
    pub(super) fn create(&self, user: Arc<User>, new: NewToken, now: Instant) -> Option<(Uuid, String)> {
        let mut tokens = self.lock();
        let is_named = |token: &&Token| !token.is_login() && token.user == user && token.is_good(now);
        let named = tokens.0.values().filter(is_named).count();
        if named >= NAMED_MAX {
            return None;
        }
        let id = SystemIds.random();
        let kind = TokenKind::Named { name: new.name.into(), until: now + new.lasts };
        Some((id, tokens.insert(Token { id, user, scopes: new.scopes, kind })))
    }

    /// Whose token it is; counts as a use of it.
    pub(super) fn owner(&self, token: &str, now: Instant) -> Option<Bearer> {
        let mut tokens = self.lock();
        let token = tokens.0.get_mut(&blake3::hash(token.as_bytes())).filter(|token| token.is_good(now))?;
        if let TokenKind::Login { used } = &mut token.kind {
            *used = now;
        }
        let named = (!token.is_login()).then_some(token.id);
        Some(Bearer { user: Arc::clone(&token.user), scopes: token.scopes, token: named })
    }

    /// The tokens that are good now, of one user or of all, the longest-lasting first.
    pub(super) fn list(&self, user: Option<&str>, now: Instant) -> Vec<ListedToken> {
        let tokens = self.lock();
        let good = tokens.0.values().filter(|token| token.is_good(now) && token.is_of(user));
        let mut listed: Vec<_> = good.map(|token| token.listed(now)).collect();
        listed.sort_by_key(|token| (std::cmp::Reverse(token.lasts), token.id));
        listed
    }

    /// Ends a token, of one user or of anybody; whether there was one.
    pub(super) fn revoke(&self, id: Uuid, user: Option<&str>) -> bool {
        let mut tokens = self.lock();
        let before = tokens.0.len();
        tokens.0.retain(|_, token| !(token.id == id && token.is_of(user)));
        tokens.0.len() < before
    }

    /// Forgets the tokens with names whose time is up.
    pub(super) fn take_ended(&self, now: Instant) -> Vec<Uuid> {
        let mut tokens = self.lock();
        let ended = |token: &Token| !token.is_login() && !token.is_good(now);
        let ids = tokens.0.values().filter(|token| ended(token)).map(|token| token.id).collect();
        tokens.0.retain(|_, token| !ended(token));
        ids
    }

    /// Ends the tokens of a user.
    pub(super) fn end(&self, user: &User) {
        self.lock().0.retain(|_, token| *token.user != *user);
    }

    fn lock(&self) -> Held<'_> {
        Held(self.by_hash.lock())
    }
}

struct Held<'a>(MutexGuard<'a, HashMap<Hash, Token>>);

impl Held<'_> {
    fn insert(&mut self, token: Token) -> String {
        let text = random();
        self.0.insert(blake3::hash(text.as_bytes()), token);
        text
    }

    /// Ends logins of a user who has too many: nobody pushes out somebody else's.
    fn make_room(&mut self, user: &User, now: Instant) {
        let of_user = |token: &Token| token.is_login() && *token.user == *user;
        if self.0.values().filter(|token| of_user(token)).count() < LOGINS_MAX {
            return;
        }
        // Those with names are forgotten with their connections.
        self.0.retain(|_, token| token.is_good(now) || !token.is_login());
        if self.0.values().filter(|token| of_user(token)).count() < LOGINS_MAX {
            return;
        }
        let logins = self.0.iter().filter(|(_, token)| of_user(token));
        let oldest = logins.min_by_key(|(_, token)| token.used()).map(|(hash, _)| *hash);
        oldest.and_then(|hash| self.0.remove(&hash));
    }
}

impl Token {
    fn is_login(&self) -> bool {
        matches!(self.kind, TokenKind::Login { .. })
    }

    fn is_of(&self, user: Option<&str>) -> bool {
        user.is_none_or(|user| *self.user.name == *user)
    }

    fn used(&self) -> Option<Instant> {
        match self.kind {
            TokenKind::Login { used } => Some(used),
            TokenKind::Named { .. } => None,
        }
    }

    fn lasts(&self, now: Instant) -> Duration {
        let until = match self.kind {
            TokenKind::Login { used } => used + LOGIN_FOR,
            TokenKind::Named { until, .. } => until,
        };
        until.saturating_duration_since(now)
    }

    fn is_good(&self, now: Instant) -> bool {
        !self.lasts(now).is_zero()
    }

    fn listed(&self, now: Instant) -> ListedToken {
        let name = match &self.kind {
            TokenKind::Login { .. } => None,
            TokenKind::Named { name, .. } => Some(name.to_string()),
        };
        let (user, scopes) = (Arc::clone(&self.user.name), self.scopes);
        ListedToken { id: self.id, user, name, scopes, lasts: self.lasts(now) }
    }
}

/// 244 random bits in hexadecimal digits.
pub(super) fn random() -> String {
    format!("{}{}", SystemIds.random().simple(), SystemIds.random().simple())
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
