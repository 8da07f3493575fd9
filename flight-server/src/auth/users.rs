//! The users of `auth_file`: one `user:password` per line, blank lines and lines that begin with `#` are skipped. What is kept of a
//! password is a hash under a key that this process made for itself.

use std::{collections::HashMap, fs::File, io::Read, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use blake3::Hash;
use uuid::Uuid;

/// Largest file read. **Units**: bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Longest name of a user. **Units**: bytes.
const NAME_BYTES_MAX: usize = 256;

/// Permission bits of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Users by name.
pub(super) struct Users {
    by_name: HashMap<Arc<str>, Hash>,
    key: [u8; blake3::KEY_LEN],
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("count", &self.by_name.len()).finish_non_exhaustive()
    }
}

impl Users {
    /// Reads a file that nobody but its owner may read.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let mut file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
        // Of the open file, so that what is checked is what is read.
        let metadata = file.metadata().map_err(|error| format!("cannot be opened: {error}"))?;
        if !metadata.is_file() {
            return Err("is not a file".to_owned());
        }
        if metadata.mode() & OTHERS != 0 {
            let mode = metadata.mode() & 0o777;
            return Err(format!(
                "other users of this machine may use it (mode {mode:03o}); run: chmod 600 {}",
                path.display()
            ));
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(format!("has {} bytes, the limit is {FILE_BYTES_MAX}", metadata.len()));
        }
        let mut text = String::new();
        let read = file.by_ref().take(FILE_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|error| format!("cannot be read as text: {error}"))?;
        Self::parse(&text)
    }

    /// Reads the lines of a file.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut users = Self { by_name: HashMap::new(), key: random_key() };
        let mut lines: HashMap<Arc<str>, usize> = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let number = index + 1;
            let (name, password) = split(line).map_err(|rule| format!("line {number}: {rule}"))?;
            if let Some(first) = lines.insert(Arc::from(name), number) {
                return Err(format!("line {number}: user '{name}' is on line {first} already"));
            }
            let hash = users.hash(name, password);
            users.by_name.insert(Arc::from(name), hash);
        }
        if users.by_name.is_empty() {
            return Err("names no user; write one as user:password on a line of its own".to_owned());
        }
        Ok(users)
    }

    /// The user, if the password is right. Takes the same time whether the user exists or not.
    pub(super) fn verify(&self, name: &str, password: &str) -> Option<Arc<str>> {
        let given = self.hash(name, password);
        let known = self.by_name.get_key_value(name);
        // Comparing hashes takes constant time. Nobody's hash is one that no password can be found for.
        let nobody = Hash::from_bytes(self.key);
        let expected = known.map_or(nobody, |(_, hash)| *hash);
        let is_right = given == expected;
        known.filter(|_| is_right).map(|(name, _)| Arc::clone(name))
    }

    fn hash(&self, name: &str, password: &str) -> Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(password.as_bytes());
        hasher.finalize()
    }
}

/// Name and password of a line; the rule that it breaks must not quote it.
fn split(line: &str) -> Result<(&str, &str), String> {
    let (name, password) = line.split_once(':').ok_or("must be user:password")?;
    if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
        return Err("the user before ':' must be a name without spaces around it".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("the user has {} bytes, at most {NAME_BYTES_MAX} are allowed", name.len()));
    }
    if password.is_empty() || password.trim() != password || password.chars().any(char::is_control) {
        return Err(format!(
            "the password of user '{name}' must not be empty and not begin or end with a space"
        ));
    }
    Ok((name, password))
}

fn random_key() -> [u8; blake3::KEY_LEN] {
    let mut key = [0; blake3::KEY_LEN];
    let (one, other) = key.split_at_mut(size_of::<Uuid>());
    one.copy_from_slice(Uuid::new_v4().as_bytes());
    other.copy_from_slice(Uuid::new_v4().as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn users_are_read_and_verified() {
        let users = Users::parse("# readers\n\nada:se:cret \u{e9}!\r\n  # more\nbob:two words\n").unwrap();
        assert_eq!(users.verify("ada", "se:cret \u{e9}!").as_deref(), Some("ada"));
        assert_eq!(users.verify("bob", "two words").as_deref(), Some("bob"));
        for (name, password) in
            [("ada", "se"), ("ada", ""), ("Ada", "se:cret \u{e9}!"), ("", ""), ("ad", "ase:cret")]
        {
            assert_eq!(users.verify(name, password), None, "{name}");
        }
    }

    #[test]
    fn bad_lines_are_named_without_their_password() {
        let cases = [
            ("ada:x\nbob", "line 2: must be user:password"),
            (":hunter2", "line 1: the user before ':'"),
            (" ada:hunter2", "line 1: the user before ':'"),
            ("ada:", "line 1: the password of user 'ada' must not be empty"),
            ("ada:hunter2 ", "line 1: the password of user 'ada' must not"),
            ("ada:hunter2\n\nada:hunter2", "line 3: user 'ada' is on line 1 already"),
            ("# only comments\n", "names no user"),
        ];
        for (text, expected) in cases {
            let error = Users::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::fs::write(&path, "ada:secret\n").unwrap();
        for (mode, is_private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let users = Users::read(&path);
            assert_eq!(users.is_ok(), is_private, "{mode:o}");
            assert!(users.err().is_none_or(|error| error.contains("chmod 600")));
        }
        assert!(Users::read(folder.path()).unwrap_err().contains("is not a file"));
        assert!(Users::read(&folder.path().join("nothing")).is_err());
    }
}
