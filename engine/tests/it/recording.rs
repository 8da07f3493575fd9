//! `RecordingFiles`: a file layer that works on real files and remembers every effect in order, so that a test can ask what a
//! crash after any of them could have left.

mod crash_state;
mod store;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use hexflight_engine::{DiskFiles, Files, OpenFile};
use parking_lot::{Mutex, MutexGuard};

use self::crash_state::{CrashState, Effect, FileId};

/// Real files plus the list of what was done to them. Nothing is really fsynced: a test's process does not crash.
#[derive(Debug)]
pub(crate) struct RecordingFiles {
    root: PathBuf,
    fsyncs: bool,
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    effects: Vec<Effect>,
    /// Which file each name means now.
    files: HashMap<PathBuf, FileId>,
    file_count: u64,
}

impl RecordingFiles {
    /// Records below `root`, which exists; what is there already counts as durable.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        Self::with_fsyncs(root, true)
    }

    /// The same layer with every fsync left out, as in object_store's `LocalFileSystem`: write a staging file, hard-link it,
    /// remove it. A crash test that passes on this one proves nothing.
    pub(crate) fn without_fsync(root: &Path) -> io::Result<Self> {
        Self::with_fsyncs(root, false)
    }

    fn with_fsyncs(root: &Path, fsyncs: bool) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let mut recorded = Recorded::default();
        recorded.adopt(&root, &root)?;
        Ok(Self { root, fsyncs, recorded: Mutex::new(recorded) })
    }

    /// Effects so far. What returned before this call is covered by them.
    pub(crate) fn steps(&self) -> usize {
        self.lock().effects.len()
    }

    /// Writes to the empty directory `into` what a crash after the first `step` effects could have left. Each effect that no
    /// later fsync among them covers is kept or dropped by `seed`: seed 0 drops all of them, seed 1 keeps all, others choose.
    pub(crate) fn crash_image(&self, step: usize, seed: u64, into: &Path) -> io::Result<()> {
        self.crash_state(step).materialise(seed, into)
    }

    fn crash_state(&self, step: usize) -> CrashState {
        let recorded = self.lock();
        CrashState::after(&recorded.effects[..step.min(recorded.effects.len())])
    }

    fn relative(&self, path: &Path) -> PathBuf {
        relative(&self.root, path)
    }

    /// Held over an effect and its record, so that the order of the list is the order on disk.
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock()
    }
}

impl Recorded {
    fn new_file(&mut self, path: PathBuf) -> FileId {
        let file = FileId(self.file_count);
        self.file_count += 1;
        self.files.insert(path.clone(), file);
        self.effects.push(Effect::Name { path, file });
        file
    }

    fn file(&self, path: &Path) -> io::Result<FileId> {
        let missing = || io::Error::other(format!("{}: not a recorded file", path.display()));
        self.files.get(path).copied().ok_or_else(missing)
    }

    /// Records a directory that was there before as if it had just been made, durably.
    fn adopt(&mut self, root: &Path, directory: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                self.effects.push(Effect::CreateDirectory(relative(root, &path)));
                self.adopt(root, &path)?;
            } else {
                let file = self.new_file(relative(root, &path));
                self.effects.push(Effect::Write(file, std::fs::read(&path)?.into()));
                self.effects.push(Effect::SyncFile(file));
            }
        }
        self.effects.push(Effect::SyncDirectory(relative(root, directory)));
        Ok(())
    }
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_path_buf()
}

impl Files for RecordingFiles {
    fn create(&self, path: &Path) -> io::Result<OpenFile> {
        let mut recorded = self.lock();
        let file = DiskFiles.create(path)?;
        recorded.new_file(self.relative(path));
        Ok(file)
    }

    fn write(&self, file: &mut OpenFile, chunks: &[Bytes]) -> io::Result<()> {
        let mut recorded = self.lock();
        let id = recorded.file(&self.relative(file.path()))?;
        DiskFiles.write(file, chunks)?;
        recorded.effects.extend(chunks.iter().map(|chunk| Effect::Write(id, chunk.clone())));
        Ok(())
    }

    fn sync_file(&self, file: &OpenFile) -> io::Result<()> {
        if self.fsyncs {
            let mut recorded = self.lock();
            let id = recorded.file(&self.relative(file.path()))?;
            recorded.effects.push(Effect::SyncFile(id));
        }
        Ok(())
    }

    fn open_dir(&self, path: &Path) -> io::Result<OpenFile> {
        DiskFiles.open_dir(path)
    }

    fn sync_dir(&self, directory: &OpenFile) -> io::Result<()> {
        if self.fsyncs {
            let path = self.relative(directory.path());
            self.lock().effects.push(Effect::SyncDirectory(path));
        }
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut recorded = self.lock();
        DiskFiles.create_dir(path)?;
        recorded.effects.push(Effect::CreateDirectory(self.relative(path)));
        Ok(())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut recorded = self.lock();
        let file = recorded.file(&self.relative(from))?;
        DiskFiles.hard_link(from, to)?;
        let path = self.relative(to);
        recorded.files.insert(path.clone(), file);
        recorded.effects.push(Effect::Name { path, file });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut recorded = self.lock();
        let file = recorded.file(&self.relative(from))?;
        DiskFiles.rename(from, to)?;
        let path = self.relative(to);
        recorded.files.remove(&self.relative(from));
        recorded.files.insert(path.clone(), file);
        recorded.effects.push(Effect::Name { path, file });
        recorded.effects.push(Effect::Unname(self.relative(from)));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut recorded = self.lock();
        DiskFiles.remove(path)?;
        let path = self.relative(path);
        recorded.files.remove(&path);
        recorded.effects.push(Effect::Unname(path));
        Ok(())
    }
}
