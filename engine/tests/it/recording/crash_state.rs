//! What a crash may leave of a list of file effects. Assumes no more than POSIX promises: an fsync of a file covers its bytes
//! and not its name, an fsync of a directory covers the names in it, all else may be lost in any combination.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

/// A file, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileId(pub(super) u64);

/// One change to a file system. Paths are relative to its root.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    CreateDirectory(PathBuf),
    /// A new name for a file, in place of what had it.
    Name {
        path: PathBuf,
        file: FileId,
    },
    Unname(PathBuf),
    Write(FileId, Bytes),
    SyncFile(FileId),
    SyncDirectory(PathBuf),
}

#[derive(Debug, Clone, Copy)]
enum Node {
    Directory,
    File(FileId),
}

/// What a name has meant, oldest first; after a crash it means one of those from `durable_index` on.
#[derive(Debug)]
struct NameHistory {
    versions: Vec<Option<Node>>,
    durable_index: usize,
}

impl Default for NameHistory {
    fn default() -> Self {
        Self { versions: vec![None], durable_index: 0 }
    }
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    durable_bytes: usize,
}

/// What a name means after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Survivor {
    Directory,
    File(Bytes),
}

/// Every name's and file's possible states at one moment.
#[derive(Debug, Default)]
pub(super) struct CrashState {
    /// In path order: a directory comes before what is in it.
    names: BTreeMap<PathBuf, NameHistory>,
    contents: HashMap<FileId, Content>,
}

impl CrashState {
    pub(super) fn after(effects: &[Effect]) -> Self {
        let mut state = Self::default();
        for effect in effects {
            state.apply(effect);
        }
        state
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::CreateDirectory(path) => self.set_name(path, Some(Node::Directory)),
            Effect::Name { path, file } => self.set_name(path, Some(Node::File(*file))),
            Effect::Unname(path) => self.set_name(path, None),
            Effect::Write(file, bytes) => {
                self.contents.entry(*file).or_default().bytes.extend_from_slice(bytes);
            }
            Effect::SyncFile(file) => {
                let content = self.contents.entry(*file).or_default();
                content.durable_bytes = content.bytes.len();
            }
            Effect::SyncDirectory(directory) => {
                for (path, name) in &mut self.names {
                    if path.parent() == Some(directory) {
                        name.durable_index = name.versions.len() - 1;
                    }
                }
            }
        }
    }

    fn set_name(&mut self, path: &Path, node: Option<Node>) {
        self.names.entry(path.to_path_buf()).or_default().versions.push(node);
    }

    /// Writes one of the possible states below `into`.
    pub(super) fn materialise(&self, seed: u64, into: &Path) -> io::Result<()> {
        std::fs::create_dir_all(into)?;
        for (path, survivor) in self.survivors(seed) {
            match survivor {
                Survivor::Directory => std::fs::create_dir(into.join(path))?,
                Survivor::File(bytes) => std::fs::write(into.join(path), bytes)?,
            }
        }
        Ok(())
    }

    /// One of the possible states, in path order.
    pub(super) fn survivors(&self, seed: u64) -> BTreeMap<PathBuf, Survivor> {
        let mut choice = Choice::new(seed);
        let mut survivors = BTreeMap::from([(PathBuf::new(), Survivor::Directory)]);
        let mut contents = HashMap::new();
        for (path, name) in &self.names {
            let version = choice.between(name.durable_index, name.versions.len() - 1);
            // A name in a directory that was lost is lost with it.
            let parent = path.parent().and_then(|parent| survivors.get(parent));
            let Some(Survivor::Directory) = parent else { continue };
            let survivor = match name.versions[version] {
                None => continue,
                Some(Node::Directory) => Survivor::Directory,
                Some(Node::File(file)) => {
                    // All names of a file show the same bytes.
                    let bytes = contents.entry(file).or_insert_with(|| self.survivor(file, &mut choice));
                    Survivor::File(bytes.clone())
                }
            };
            survivors.insert(path.clone(), survivor);
        }
        survivors.remove(Path::new(""));
        survivors
    }

    /// The bytes of a file after the crash: all that was fsynced; of the rest a part, either cut off or followed by zeros
    /// where the size reached the disk and the data did not.
    fn survivor(&self, file: FileId, choice: &mut Choice) -> Bytes {
        let Some(content) = self.contents.get(&file) else { return Bytes::new() };
        let kept = choice.between(content.durable_bytes, content.bytes.len());
        let length = choice.between(kept, content.bytes.len());
        let mut bytes = content.bytes[..kept].to_vec();
        bytes.resize(length, 0);
        bytes.into()
    }
}

/// Seeded choices: seed 0 always takes the oldest state, seed 1 the newest, others either end or something between.
///
/// **Source**: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug)]
enum Choice {
    Oldest,
    Newest,
    Random(u64),
}

impl Choice {
    fn new(seed: u64) -> Self {
        match seed {
            0 => Self::Oldest,
            1 => Self::Newest,
            _ => Self::Random(seed),
        }
    }

    fn between(&mut self, oldest: usize, newest: usize) -> usize {
        let state = match self {
            Self::Oldest => return oldest,
            Self::Newest => return newest,
            Self::Random(state) => state,
        };
        let random = next_random(state);
        match random % 3 {
            0 => oldest,
            1 => newest,
            _ => oldest + usize::try_from(random >> 40).unwrap_or(0) % (newest - oldest + 1),
        }
    }
}

fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
