//! Tokens that logins have given out, each good until it was not used for twelve hours. Kept by hash: whoever reads this memory, or
//! measures how long a look-up takes, learns no token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use blake3::Hash;
use uuid::Uuid;

/// Tokens remembered; a login beyond that ends the one that was not used for longest.
const TOKENS_MAX: usize = 10_000;

/// How long a token is good after its last use.
const TOKEN_FOR: Duration = Duration::from_hours(12);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_hash: Mutex<HashMap<Hash, Token>>,
}

#[derive(Debug)]
struct Token {
    user: Arc<str>,
    used: Instant,
}

impl Tokens {
    /// A new token for a user.
    pub(super) fn issue(&self, user: Arc<str>, now: Instant) -> String {
        let token = random();
        let mut tokens = self.lock();
        if tokens.len() >= TOKENS_MAX {
            tokens.retain(|_, token| token.is_good(now));
        }
        if tokens.len() >= TOKENS_MAX
            && let Some(oldest) = tokens.iter().min_by_key(|(_, token)| token.used).map(|(hash, _)| *hash)
        {
            tokens.remove(&oldest);
        }
        tokens.insert(blake3::hash(token.as_bytes()), Token { user, used: now });
        token
    }

    /// Whose token it is; counts as a use of it.
    pub(super) fn owner(&self, token: &str, now: Instant) -> Option<Arc<str>> {
        let mut tokens = self.lock();
        let token = tokens.get_mut(&blake3::hash(token.as_bytes())).filter(|token| token.is_good(now))?;
        token.used = now;
        Some(Arc::clone(&token.user))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Token>> {
        self.by_hash.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn is_good(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < TOKEN_FOR
    }
}

/// 244 random bits in hexadecimal digits.
pub(super) fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_as_long_as_it_is_used() {
        let tokens = Tokens::default();
        let start = Instant::now();
        let token = tokens.issue(Arc::from("ada"), start);
        let almost = TOKEN_FOR - Duration::from_secs(1);
        assert_eq!(tokens.owner(&token, start + almost).as_deref(), Some("ada"));
        assert_eq!(tokens.owner(&token, start + 2 * almost).as_deref(), Some("ada"));
        assert_eq!(tokens.owner(&token, start + 3 * TOKEN_FOR), None);
        assert_eq!(tokens.owner("guess", start), None);
    }

    #[test]
    fn the_least_recently_used_gives_way_at_the_limit() {
        let tokens = Tokens::default();
        let start = Instant::now();
        let at = |index: usize| start + Duration::from_millis(index as u64);
        let first = tokens.issue(Arc::from("ada"), at(0));
        let second = tokens.issue(Arc::from("ada"), at(1));
        (2..TOKENS_MAX).for_each(|index| drop(tokens.issue(Arc::from("bob"), at(index))));
        assert!(tokens.owner(&first, at(TOKENS_MAX)).is_some());
        tokens.issue(Arc::from("bob"), at(TOKENS_MAX + 1));
        assert_eq!(tokens.lock().len(), TOKENS_MAX);
        assert!(tokens.owner(&second, at(TOKENS_MAX + 2)).is_none());
        assert!(tokens.owner(&first, at(TOKENS_MAX + 2)).is_some());
    }
}
