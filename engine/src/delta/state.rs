//! `TableState`: the file list and txn map of one Delta version, held in memory and advanced version by version.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Weak},
};

use object_store::path::Path;

use super::{
    DataFile, FileChecksums, RollupObject,
    action::{
        Action, Add, READER_VERSION, ROLLUP_BYTES_TAG, ROLLUP_DIRECTORY_TAG, ROLLUP_TAG, WRITER_VERSION,
    },
    log::{DeltaLog, ENGINE_INFO_PREFIX, configuration},
    statistics,
    version::unsealed_ms,
};
use crate::{
    error::{EngineError, Result},
    schema::{Sequence, StreamId},
};

/// Added files that are each looked up among the active ones; of more, the active ones are looked up among the added.
const LOOKED_UP_MAX: usize = 16;

/// The table at one Delta version.
#[derive(Debug, Clone, Default)]
pub struct TableState {
    version: i64,
    files: Vec<Arc<DataFile>>,
    /// What [`DataFile::time_span`] says of each file, side by side: most queries rule out most files by time.
    times: Vec<(i64, i64)>,
    txns: HashMap<String, i64>,
    /// Files that a version has removed: readers of older versions still want them, until a vacuum.
    removed: HashMap<Path, RemovedFile>,
    /// When an earlier build wrote the last version that nothing proves to be whole. **Units**: ms since 1970.
    unsealed_ms: Option<i64>,
}

/// A file that a version has removed.
#[derive(Debug, Clone)]
struct RemovedFile {
    /// **Units**: ms since 1970.
    removed_ms: i64,
    /// Alive as long as a snapshot of this process names the file.
    file: Weak<DataFile>,
}

impl TableState {
    /// The state before version 0.
    #[must_use]
    pub(crate) fn empty() -> Self {
        Self { version: -1, ..Self::default() }
    }

    /// The Delta version.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Active files in order of their commits.
    #[must_use]
    pub fn files(&self) -> &[Arc<DataFile>] {
        &self.files
    }

    /// Those that may hold rows of the moments `from..=to`. **Units**: µs since 1970.
    pub fn files_within(&self, from: i64, to: i64) -> impl Iterator<Item = &Arc<DataFile>> {
        let may_hold = move |(first, last): &(i64, i64)| *first <= to && from <= *last;
        self.files.iter().zip(&self.times).filter(move |(_, time)| may_hold(time)).map(|(file, _)| file)
    }

    /// Whether a version has removed the file, and no vacuum has deleted it since.
    pub(crate) fn is_removed(&self, path: &Path) -> bool {
        self.removed.contains_key(path)
    }

    /// When the last version was written that may be short of files, as nothing tells how many it had. **Units**: ms since 1970.
    pub(crate) fn unsealed_ms(&self) -> Option<i64> {
        self.unsealed_ms
    }

    /// Files that were removed before `before_ms` (ms since 1970) and that no snapshot of this process names any more, in order of
    /// their names.
    pub(crate) fn unreferenced(&self, before_ms: i64) -> Vec<Path> {
        let due = |removed: &RemovedFile| removed.removed_ms <= before_ms && removed.file.strong_count() == 0;
        let due = self.removed.iter().filter(|(_, removed)| due(removed)).map(|(path, _)| path.clone());
        let mut paths: Vec<Path> = due.collect();
        paths.sort_unstable();
        paths
    }

    /// The same version without the memory of files that a vacuum has deleted.
    pub(crate) fn without_removed(&self, deleted: &[Path]) -> Self {
        let mut state = self.clone();
        for path in deleted {
            state.removed.remove(path);
        }
        state
    }

    /// Those of `files` that are not active.
    pub(crate) fn inactive<'a>(&self, files: &'a [Arc<DataFile>]) -> Vec<&'a Path> {
        let mut missing: HashSet<&Path> = files.iter().map(|file| &file.location).collect();
        for file in &self.files {
            missing.remove(&file.location);
        }
        missing.into_iter().collect()
    }

    /// The last sequence of a stream whose rows are in files.
    #[must_use]
    pub fn flushed(&self, stream: StreamId) -> Sequence {
        let version = self.txn(&stream.to_string()).unwrap_or(0);
        Sequence(u64::try_from(version).unwrap_or(0))
    }

    /// Streams of ours with rows in files, and how far those go.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (StreamId, Sequence)> {
        let stream = |app_id: &str| StreamId::parse(app_id).filter(|stream| stream.is_generated());
        self.txns.keys().filter_map(move |app_id| stream(app_id)).map(|stream| (stream, self.flushed(stream)))
    }

    /// Last version that an application committed.
    #[must_use]
    pub fn txn(&self, app_id: &str) -> Option<i64> {
        self.txns.get(app_id).copied()
    }

    /// Moves to `version`, which must be the next one.
    ///
    /// # Errors
    /// `Corrupt` when the version asks for a protocol or a schema that is not ours.
    pub(crate) fn apply(&mut self, log: &DeltaLog, version: i64, actions: &[Action]) -> Result<()> {
        assert!(version == self.version + 1, "version {version} does not follow {}", self.version);
        let path = log.version_path(version);
        let refuse = |detail| Err(EngineError::Corrupt { path: path.to_string(), detail });
        let committed_ms = actions.iter().find_map(|action| Some(action.commit_info.as_ref()?.timestamp));
        let writer = writer_of(actions);
        let mut removed: HashMap<Path, i64> = HashMap::new();
        let mut added = vec![];
        for action in actions {
            if let Some(detail) = refused(log, action) {
                return refuse(detail);
            }
            if let Some(txn) = &action.txn {
                self.txns.insert(txn.app_id.clone(), txn.version);
            }
            if let Some(remove) = &action.remove {
                let removed_ms = remove.deletion_timestamp.or(committed_ms).unwrap_or(0);
                removed.insert(location(log.root(), &remove.path)?, removed_ms);
            }
            if let Some(add) = &action.add {
                added.push(Arc::new(data_file(log, add, writer)?));
            }
        }
        // An Add replaces an earlier Add of the same path: that is how statistics are rewritten.
        let replaced: HashSet<&Path> = added.iter().map(|file| &file.location).collect();
        let leaves = |path: &Path| removed.contains_key(path) || replaced.contains(path);
        let is_rewrite = removed.len() + replaced.len() > LOOKED_UP_MAX
            || removed.keys().chain(replaced.iter().copied()).any(|path| self.is_active(path));
        let mut gone: HashMap<Path, Weak<DataFile>> = HashMap::new();
        if version > 0 && is_rewrite {
            self.files.retain(|file| {
                let leaves = leaves(&file.location);
                if leaves {
                    gone.insert(file.location.clone(), Arc::downgrade(file));
                }
                !leaves
            });
            self.times = self.files.iter().map(|file| file.time_span()).collect();
        }
        for path in &replaced {
            self.removed.remove(*path);
        }
        for (path, removed_ms) in removed.iter().filter(|(path, _)| !replaced.contains(path)) {
            // Removed twice, it is still the file that an older snapshot may name.
            let file = gone.remove(path).or_else(|| self.removed.get(path).map(|old| Weak::clone(&old.file)));
            self.removed.insert(
                path.clone(),
                RemovedFile { removed_ms: *removed_ms, file: file.unwrap_or_default() },
            );
        }
        self.times.extend(added.iter().map(|file| file.time_span()));
        self.files.extend(added);
        debug_assert_eq!(self.files.len(), self.times.len(), "every file has its times");
        self.unsealed_ms = self.unsealed_ms.max(unsealed_ms(actions));
        self.version = version;
        Ok(())
    }

    /// New files have new names, which are compared from the newest on; only a rewrite looks far.
    fn is_active(&self, path: &Path) -> bool {
        self.files.iter().rev().any(|file| file.location == *path)
    }
}

/// Why an action cannot be taken, if it cannot.
fn refused(log: &DeltaLog, action: &Action) -> Option<String> {
    if let Some(protocol) = &action.protocol
        && (protocol.min_reader_version > READER_VERSION || protocol.min_writer_version > WRITER_VERSION)
    {
        return Some(format!(
            "the table asks for reader version {} and writer version {}, supported are {READER_VERSION} and {WRITER_VERSION}",
            protocol.min_reader_version, protocol.min_writer_version
        ));
    }
    if action.add.as_ref().is_some_and(|add| add.deletion_vector.is_some()) {
        return Some(String::from("deletion vectors are not supported"));
    }
    let metadata = action.meta_data.as_ref()?;
    for (key, expected) in configuration(&log.spec) {
        let found: Option<&String> = metadata.configuration.get(&key);
        if found != Some(&expected) {
            let found = found.map_or("nothing", String::as_str);
            return Some(format!("{key} is {found}, this build expects {expected}"));
        }
    }
    let names = |schema: &str| -> Option<BTreeMap<String, serde_json::Value>> {
        let schema: serde_json::Value = serde_json::from_str(schema).ok()?;
        let fields = schema.get("fields")?.as_array()?;
        fields
            .iter()
            .map(|field| Some((field.get("name")?.as_str()?.to_owned(), field.get("type")?.clone())))
            .collect()
    };
    let (found, expected) = (names(&metadata.schema_string), names(&super::log::schema_string(&log.spec)));
    (found != expected)
        .then(|| format!("the schema is {}, not that of table {}", metadata.schema_string, log.spec.name()))
}

/// A version says who wrote it, if it was us.
fn writer_of(actions: &[Action]) -> statistics::Writer {
    let mut infos = actions.iter().filter_map(|action| action.commit_info.as_ref());
    if infos.any(|info| info.engine_info.starts_with(ENGINE_INFO_PREFIX)) {
        statistics::Writer::Hexflight
    } else {
        statistics::Writer::Other
    }
}

fn data_file(log: &DeltaLog, add: &Add, writer: statistics::Writer) -> Result<DataFile> {
    let (row_count, columns) = statistics::from_json(log.spec.query_schema(), add.stats.as_deref(), writer);
    Ok(DataFile {
        location: location(log.root(), &add.path)?,
        size_bytes: u64::try_from(add.size).unwrap_or(0),
        row_count,
        modified_ms: add.modification_time,
        columns,
        rollup: rollup_object(log, add)?,
        checksums: add.tags.as_ref().and_then(FileChecksums::of_tags),
    })
}

/// Tags that we do not understand are as good as none.
fn rollup_object(log: &DeltaLog, add: &Add) -> Result<Option<RollupObject>> {
    let tag = |name: &str| add.tags.as_ref()?.get(name)?.as_deref();
    let size = tag(ROLLUP_BYTES_TAG).and_then(|size| size.parse().ok());
    let Some((path, size_bytes)) = tag(ROLLUP_TAG).zip(size) else { return Ok(None) };
    let directory_crc32c =
        tag(ROLLUP_DIRECTORY_TAG).and_then(|checksum| u32::from_str_radix(checksum, 16).ok());
    Ok(Some(RollupObject { location: location(log.root(), path)?, size_bytes, directory_crc32c }))
}

/// A path of the log is relative to the table's root and percent-encoded.
fn location(root: &Path, relative: &str) -> Result<Path> {
    Path::from_url_path(format!("{root}/{relative}")).map_err(|error| EngineError::Corrupt {
        path: root.to_string(),
        detail: format!("file path {relative:?}: {error}"),
    })
}
