//! The file of users: read as a whole while nobody but its owner may use it, replaced as a whole by `hexflight user`.

use std::{
    fs::Permissions,
    io::{Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::Path,
};

use hexflight_engine::disk;

/// Largest file read. **Units**: bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Permission bits of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Reads a file that nobody but its owner may read.
///
/// # Errors
/// What is wrong with it and what to do about it.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let file = disk::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
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
    let read = file.take(FILE_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| format!("cannot be read as text: {error}"))?;
    Ok(text)
}

/// Puts text in the place of the file: a server that reads it sees the old one or the new one. The owner stays.
///
/// # Errors
/// What the system said.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), String> {
    let written = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))?;
        if let Ok(old) = disk::metadata(path) {
            fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    written().map(drop).map_err(|error| format!("cannot be written: {error}"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, "ada:secret\n").unwrap();
        for (mode, is_private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let text = read(&path);
            assert_eq!(text.is_ok(), is_private, "{mode:o}");
            assert!(text.err().is_none_or(|error| error.contains("chmod 600")));
        }
        assert!(read(folder.path()).unwrap_err().contains("is not a file"));
        assert!(read(&folder.path().join("nothing")).is_err());
    }

    #[test]
    fn a_replaced_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        replace(&path, "one").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
}
