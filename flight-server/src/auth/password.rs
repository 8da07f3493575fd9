//! Passwords as they are stored: argon2id in PHC's form, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. What it costs to guess is what it costs to
//! verify: some 50 ms and 19 MiB (OWASP's first choice of parameters).

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHasher, Version,
    password_hash::{Output, PasswordHash, Salt, SaltString},
};
use hexflight_engine::{Ids as _, SystemIds};

/// What every stored form begins with.
const PREFIX: &str = "$argon2id$";

/// What a password is compared with where there is no user, so that it takes as long: of random bytes that nobody kept.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$6EtqKOAwTUGz7JlmaSnaRw$5aVIip87U5FSWu3b/+rADMAHSqmYfLeJyQufTNg6/ak";

/// The stored form of a password, with a salt of its own.
pub(super) fn hash(password: &str) -> Result<String, String> {
    let salt = SaltString::encode_b64(SystemIds.random().as_bytes());
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

/// Whether a password is the one of a stored form. Takes its time, and as long without a form. `memory` is what it works in.
pub(super) fn is_right(password: &str, stored: Option<&str>, memory: &mut Memory) -> bool {
    let against = PasswordHash::new(stored.unwrap_or(NOBODY)).ok();
    let is_equal = against.is_some_and(|hash| again(password, &hash, memory) == hash.hash);
    is_equal && stored.is_some()
}

/// What a password becomes with the salt and the parameters of a stored form. Outputs are compared in constant time.
fn again(password: &str, hash: &PasswordHash<'_>, memory: &mut Memory) -> Option<Output> {
    let params = Params::try_from(hash).ok()?;
    let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
    let (mut salt, mut output) = ([0; Salt::MAX_LENGTH], [0; Output::MAX_LENGTH]);
    let salt = hash.salt?.decode_b64(&mut salt).ok()?;
    let output = output.get_mut(..hash.hash?.len())?;
    memory.0.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut memory.0).ok()?;
    Output::new(output).ok()
}

/// What a verification works in, 19 MiB, to be used again: what is given back to the allocator is not given back to the system at once.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("blocks", &self.0.len()).finish()
    }
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
        let mut memory = Memory::default();
        assert!(is_right("se:cret", Some(&stored), &mut memory));
        assert!(!is_right("secret", Some(&stored), &mut memory));
        assert_eq!(check(NOBODY), Ok(()));
        assert!(!is_right("", None, &mut memory));
        assert!(is_right("se:cret", Some(&stored), &mut memory));
    }

    #[test]
    fn a_form_of_another_program_is_verified() {
        // **Source**: `test.c` of the reference implementation.
        let stored = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
        assert_eq!(check(stored), Ok(()));
        assert!(is_right("password", Some(stored), &mut Memory::default()));
        assert!(!is_right("passwort", Some(stored), &mut Memory::default()));
    }

    #[test]
    fn forms_that_cannot_be_verified_are_refused() {
        let stored = hash("secret").unwrap();
        for bad in [&stored[..40], &stored.replace("m=19456", "m=65536"), &stored.replace("t=2", "t=0")] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
