//! Passwords as they are stored: argon2id in PHC's form, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. What it costs to guess is what it costs to
//! verify: some 50 ms and 19 MiB (OWASP's first choice of parameters).

use std::sync::LazyLock;

use argon2::{
    Argon2, Params, PasswordHasher, PasswordVerifier,
    password_hash::{PasswordHash, SaltString},
};
use uuid::Uuid;

/// What every stored form begins with.
const PREFIX: &str = "$argon2id$";

/// What a password is compared with where there is no user, so that it takes as long.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash("nobody").ok());

/// The stored form of a password, with a salt of its own.
pub(super) fn hash(password: &str) -> Result<String, String> {
    let salt = SaltString::encode_b64(Uuid::new_v4().as_bytes());
    let salt = salt.map_err(|error| format!("salt: {error}"))?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| format!("argon2: {error}"))?.to_string())
}

/// Whether text is meant to be a stored form.
pub(super) fn looks_hashed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Checks a stored form.
///
/// # Errors
/// What is wrong with it; never the form itself.
pub(super) fn check(stored: &str) -> Result<(), &'static str> {
    let hash = PasswordHash::new(stored).map_err(|_| "cannot be read")?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err("cannot be read");
    }
    let params = Params::try_from(&hash).map_err(|_| "has parameters that argon2 does not take")?;
    if params.m_cost() > Params::DEFAULT_M_COST {
        return Err("takes more than 19 MiB to verify");
    }
    Ok(())
}

/// Whether a password is the one of a stored form. Takes its time, and as long without a form.
pub(super) fn is_right(password: &str, stored: Option<&str>) -> bool {
    let Some(against) = stored.or(NOBODY.as_deref()) else { return false };
    let Ok(hash) = PasswordHash::new(against) else { return false };
    let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
    verified.is_ok() && stored.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_and_others_are_not() {
        let stored = hash("se:cret").unwrap();
        assert!(looks_hashed(&stored) && stored.contains("m=19456,t=2,p=1"), "{stored}");
        assert_ne!(stored, hash("se:cret").unwrap());
        assert_eq!(check(&stored), Ok(()));
        assert!(is_right("se:cret", Some(&stored)));
        assert!(!is_right("secret", Some(&stored)));
        assert!(!is_right("nobody", None));
    }

    #[test]
    fn forms_that_cannot_be_verified_are_refused() {
        let stored = hash("secret").unwrap();
        for bad in [&stored[..40], &stored.replace("m=19456", "m=65536"), &stored.replace("t=2", "t=0")] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
