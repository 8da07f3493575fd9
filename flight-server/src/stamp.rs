//! `Stamp`: what tells that a file was changed, for who looks at it now and then.

use std::{os::unix::fs::MetadataExt, path::Path, time::SystemTime};

use hexflight_engine::disk;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: Option<SystemTime>,
    /// Of its permissions, too. **Units**: s and ns.
    changed: (i64, i64),
}

/// How a file is now; `None` if it cannot be looked at.
pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = disk::metadata(path).ok()?;
    Some(Stamp {
        file: (metadata.dev(), metadata.ino()),
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_changed_file_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(stamp(&path), None);
        fs::write(&path, "one").unwrap();
        let first = stamp(&path);
        assert_eq!(stamp(&path), first);
        fs::write(&path, "other").unwrap();
        assert_ne!(stamp(&path), first);
    }
}
