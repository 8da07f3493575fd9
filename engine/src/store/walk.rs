//! Lists the objects below a local directory. `LocalFileSystem` gives a listing up at the first name that cannot be a key, one stray
//! file of another tool included; here such a name is passed over: nobody can ask for it by a key. Blocking.

use std::{
    io::{self, ErrorKind},
    path::{Path as FilePath, PathBuf},
};

use object_store::{ObjectMeta, path::Path};

/// Folders within folders that are looked into; keys of ours have five parts. Links in a circle end here.
const DEPTH_MAX: usize = 32;

/// The place of a failure in the tree.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(super) struct WalkError {
    path: PathBuf,
    source: io::Error,
}

/// Every object whose key begins with the parts of `prefix`, in no order. What vanishes meanwhile may or may not be among them.
pub(super) fn walk(root: &FilePath, prefix: &Path) -> Result<Vec<ObjectMeta>, WalkError> {
    let mut objects = vec![];
    let start = prefix.parts().fold(root.to_path_buf(), |path, part| path.join(part.as_ref()));
    let mut folders = vec![(start, prefix.to_string(), 0)];
    while let Some((folder, key, depth)) = folders.pop() {
        let at = |source| WalkError { path: folder.clone(), source };
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(at)?,
        };
        for entry in entries {
            let entry = entry.map_err(at)?;
            let Some(location) = key_of(&key, entry.file_name().to_str()) else { continue };
            // Links are followed; one that leads nowhere is as good as gone. What cannot be looked at for another reason is not.
            let metadata = match std::fs::metadata(entry.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound || is_link(&entry.path()) => continue,
                metadata => metadata.map_err(at)?,
            };
            if metadata.is_dir() && depth < DEPTH_MAX && !leads_up(&entry.path(), &folder) {
                folders.push((entry.path(), location.to_string(), depth + 1));
            } else if metadata.is_file() && !is_staged(&location) {
                let last_modified = metadata.modified().map_err(at)?.into();
                let size = metadata.len();
                objects.push(ObjectMeta { location, last_modified, size, e_tag: None, version: None });
            }
        }
    }
    Ok(objects)
}

/// Whether a folder is a link to one above itself.
fn leads_up(path: &FilePath, folder: &FilePath) -> bool {
    let up = || folder.canonicalize().ok()?.starts_with(path.canonicalize().ok()?).then_some(());
    is_link(path) && up().is_some()
}

fn is_link(path: &FilePath) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// The key of a name in a folder, if it can be one.
fn key_of(folder: &str, name: Option<&str>) -> Option<Path> {
    let separator = if folder.is_empty() { "" } else { "/" };
    Path::parse(format!("{folder}{separator}{}", name?)).ok()
}

/// `LocalFileSystem` takes such names for its own staging files, and refuses to read them.
fn is_staged(location: &Path) -> bool {
    let number = location.filename().and_then(|name| name.split_once('#')).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
