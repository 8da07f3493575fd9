//! Tokens that logins have given out, each good until it was not used for twelve hours. Kept by hash: whoever reads this memory, or
//! measures how long a look-up takes, learns no token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use blake3::Hash;
use uuid::Uuid;

use super::users::User;

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
    user: Arc<User>,
    used: Instant,
}

impl Tokens {
    /// A new token for a user.
    pub(super) fn issue(&self, user: Arc<User>, now: Instant) -> String {
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
    pub(super) fn owner(&self, token: &str, now: Instant) -> Option<Arc<User>> {
        let mut tokens = self.lock();
        let token = tokens.get_mut(&blake3::hash(token.as_bytes())).filter(|token| token.is_good(now))?;
        token.used = now;
        Some(Arc::clone(&token.user))
    }

    /// Ends the tokens of a user.
    pub(super) fn end(&self, user: &User) {
        self.lock().retain(|_, token| *token.user != *user);
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
    use super::{
        super::users::{Users, random_key},
        *,
    };

    #[test]
    fn a_token_lives_as_long_as_it_is_used() {
        let (tokens, ada) = (Tokens::default(), user("ada"));
        let start = Instant::now();
        let token = tokens.issue(Arc::clone(&ada), start);
        let almost = TOKEN_FOR - Duration::from_secs(1);
        assert_eq!(tokens.owner(&token, start + almost), Some(Arc::clone(&ada)));
        assert_eq!(tokens.owner(&token, start + 2 * almost), Some(ada));
        assert_eq!(tokens.owner(&token, start + 3 * TOKEN_FOR), None);
        assert_eq!(tokens.owner("guess", start), None);
    }

    #[test]
    fn the_least_recently_used_gives_way_at_the_limit() {
        let (tokens, ada) = (Tokens::default(), user("ada"));
        let start = Instant::now();
        let issue =
            |index: usize| tokens.issue(Arc::clone(&ada), start + Duration::from_millis(index as u64));
        let (first, second) = (issue(0), issue(1));
        (2..TOKENS_MAX).for_each(|index| drop(issue(index)));
        let later = start + Duration::from_hours(1);
        assert!(tokens.owner(&first, later).is_some());
        issue(TOKENS_MAX);
        assert_eq!(tokens.lock().len(), TOKENS_MAX);
        assert!(tokens.owner(&second, later).is_none());
        assert!(tokens.owner(&first, later).is_some());
    }

    #[test]
    fn the_end_of_a_user_leaves_the_tokens_of_others() {
        let (tokens, start) = (Tokens::default(), Instant::now());
        let (ada, bob) = (user("ada"), user("bob"));
        let (of_ada, of_bob) = (tokens.issue(Arc::clone(&ada), start), tokens.issue(bob, start));
        tokens.end(&ada);
        assert!(tokens.owner(&of_ada, start).is_none());
        assert!(tokens.owner(&of_bob, start).is_some());
    }

    fn user(name: &str) -> Arc<User> {
        let users = Users::parse(&format!("{name}:secret"), &random_key()).unwrap();
        Arc::clone(users.get(name).unwrap())
    }
}
