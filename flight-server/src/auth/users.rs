//! The users of `auth_file`, one on a line: `name:role:hash`, as `hexflight user` writes it, or `name:password`, as it was before, which is an
//! admin. Blank lines and lines that begin with `#` are skipped. What is kept of a password in the clear is a hash under a key that
//! this process made for itself.

use std::{collections::HashMap, sync::Arc};

use blake3::Hash;
use uuid::Uuid;

use super::{
    password::{self, Memory},
    role::Role,
};
use hexflight_engine::{Ids as _, SystemIds};

/// Longest name of a user. **Units**: bytes.
const NAME_BYTES_MAX: usize = 256;

/// A key under which this process hashes passwords.
pub(super) type Key = [u8; blake3::KEY_LEN];

/// One user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(super) name: Arc<str>,
    pub(super) role: Role,
    secret: Secret,
}

#[derive(PartialEq, Eq)]
enum Secret {
    /// Of a password in the clear.
    Keyed(Hash),
    /// Argon2's form.
    Stored(Box<str>),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl User {
    /// Whether the file has the password in the clear.
    pub(super) fn is_in_the_clear(&self) -> bool {
        matches!(self.secret, Secret::Keyed(_))
    }

    /// The same for a password that was verified, as long as the user's line is the same.
    pub(super) fn fingerprint(&self, key: &Key, password: &str) -> Hash {
        let line: &[u8] = match &self.secret {
            Secret::Keyed(hash) => hash.as_bytes(),
            Secret::Stored(form) => form.as_bytes(),
        };
        keyed(key, &[self.name.as_bytes(), line, password.as_bytes()])
    }
}

/// Users by name.
pub(super) struct Users {
    by_name: HashMap<Arc<str>, Arc<User>>,
    key: Key,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("count", &self.by_name.len()).finish_non_exhaustive()
    }
}

impl Users {
    /// Reads the lines of a file.
    pub(super) fn parse(text: &str, key: &Key) -> Result<Self, String> {
        let mut users = Self { by_name: HashMap::new(), key: *key };
        let mut lines: HashMap<&str, usize> = HashMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| is_user(line)) {
            let number = index + 1;
            let line = Line::parse(line).map_err(|rule| format!("line {number}: {rule}"))?;
            if let Some(first) = lines.insert(line.name, number) {
                return Err(format!("line {number}: user '{}' is on line {first} already", line.name));
            }
            let user = users.user(&line);
            users.by_name.insert(Arc::clone(&user.name), Arc::new(user));
        }
        if users.by_name.is_empty() {
            return Err("names no user; run: hexflight user add NAME --auth-file FILE".to_owned());
        }
        Ok(users)
    }

    fn user(&self, line: &Line<'_>) -> User {
        let secret = match line.secret {
            LineSecret::Stored(form) => Secret::Stored(form.into()),
            LineSecret::Password(password) => Secret::Keyed(self.hash(line.name, password)),
        };
        User { name: line.name.into(), role: line.role, secret }
    }

    /// The user of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// All users.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// The user, if the password is right. Takes the same time whether the user exists or not, once there is one whose password is
    /// stored by argon2; then it takes long.
    pub(super) fn verify(&self, name: &str, password: &str, memory: &mut Memory) -> Option<&Arc<User>> {
        let known = self.by_name.get(name);
        let given = self.hash(name, password);
        let (keyed, stored) = match known.map(|user| &user.secret) {
            // Comparing hashes takes constant time.
            Some(Secret::Keyed(hash)) => (*hash == given, None),
            Some(Secret::Stored(form)) => (false, Some(&**form)),
            None => (false, None),
        };
        let is_right = keyed || (self.takes_long() && password::is_right(password, stored, memory));
        known.filter(|_| is_right)
    }

    fn takes_long(&self) -> bool {
        self.iter().any(|user| !user.is_in_the_clear())
    }

    fn hash(&self, name: &str, password: &str) -> Hash {
        keyed(&self.key, &[name.as_bytes(), password.as_bytes()])
    }
}

/// A hash of parts, each with its length.
fn keyed(key: &Key, parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hasher.finalize()
}

/// Whether a line of the file is that of a user.
pub(super) fn is_user(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

/// A line of the file.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) secret: LineSecret<'a>,
}

/// What a line says of the password.
pub(super) enum LineSecret<'a> {
    Stored(&'a str),
    Password(&'a str),
}

impl<'a> Line<'a> {
    /// Reads a line; the rule that it breaks must not quote it.
    pub(super) fn parse(line: &'a str) -> Result<Self, String> {
        let (name, rest) =
            line.split_once(':').ok_or("must be name:role:hash, as `hexflight user` writes it")?;
        check_name(name)?;
        if let Some((role, form)) = rest.split_once(':')
            && let Ok(role) = role.parse()
            && password::looks_hashed(form)
        {
            password::check(form).map_err(|rule| format!("the hash of user '{name}' {rule}"))?;
            return Ok(Self { name, role, secret: LineSecret::Stored(form) });
        }
        check_password(rest).map_err(|rule| format!("the password of user '{name}' {rule}"))?;
        Ok(Self { name, role: Role::Admin, secret: LineSecret::Password(rest) })
    }
}

/// A name is one line without a colon.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.trim() != name || name.chars().any(|c| c.is_control() || c == ':') {
        return Err("the user before ':' must be a name without spaces around it".to_owned());
    }
    if name.starts_with('#') {
        return Err("the user's name must not begin with '#'".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("the user has {} bytes, at most {NAME_BYTES_MAX} are allowed", name.len()));
    }
    Ok(())
}

/// A password is what people can type.
pub(super) fn check_password(password: &str) -> Result<(), &'static str> {
    if password.is_empty() || password.trim() != password || password.chars().any(char::is_control) {
        return Err("must not be empty and not begin or end with a space");
    }
    Ok(())
}

/// A key that nobody else knows.
pub(super) fn random_key() -> Key {
    let mut key = [0; blake3::KEY_LEN];
    let (one, other) = key.split_at_mut(size_of::<Uuid>());
    one.copy_from_slice(SystemIds.random().as_bytes());
    other.copy_from_slice(SystemIds.random().as_bytes());
    key
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
