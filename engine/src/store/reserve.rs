//! `Reserve`: a file that keeps disk space free for flushes. When the write-ahead log has filled the disk, rows must go to files so
//! that the log behind them can be deleted, and files need space.
//!
//! ```text
//!           a lent put finds the disk full              held ──────▶ given up: the file is removed, and
//!           no lease is left and there is space         held ◀──────           only lent puts are let through
//! ```
//!
//! Every put takes the reserve back first when it was given up, or is refused: what a flush was lent, the log must not eat. Only the
//! puts of a [`Lease`] (flushes, commits, fences) do without. Where the file system keeps no space for a file (copy on write,
//! compression), the reserve is worth less than it says.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use metrics::{counter, gauge};
use parking_lot::{Mutex, MutexGuard};
use rustix::fs::{FallocateFlags, fallocate, fstatvfs, statvfs};

use super::privacy::PRIVATE_FILE;
use crate::error::is_out_of_space;

/// The file below the root.
pub(super) const RESERVE_FILE: &str = ".reserve";

/// Size that nobody has said: a generation has 256 MiB in memory at most, and half of that as files in the worst case.
const BYTES_DEFAULT: u64 = 128 << 20;
/// Part of a file system that such a reserve takes at most.
const PART_MAX: u64 = 16;
/// Unit in which a file says how much of the disk it takes.
const BLOCK_BYTES: u64 = 512;
/// Zeros written at once where a file system cannot allocate.
const ZEROS: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Reserve {
    root: PathBuf,
    state: Mutex<State>,
    /// As in `state`, for the puts of every day.
    is_held: AtomicBool,
    /// Whether the newest put met a full disk.
    is_full: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// What is kept; 0: nothing.
    bytes: u64,
    leases: usize,
}

/// The right to use the reserve, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease(Arc<Reserve>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.lock().leases -= 1;
    }
}

impl Reserve {
    /// Takes over what an earlier process has left. Blocking.
    pub(super) fn open(root: &Path) -> Self {
        let bytes = fs::metadata(root.join(RESERVE_FILE)).map_or(0, |meta| meta.len());
        Self {
            root: root.to_path_buf(),
            state: Mutex::new(State { bytes, leases: 0 }),
            is_held: AtomicBool::new(true),
            is_full: AtomicBool::new(false),
        }
    }

    /// Keeps `bytes` from now on; `None` leaves the size to the file system. Whether there is space for it shows at the next put.
    /// Blocking.
    ///
    /// # Errors
    /// The system's, when the size of the file system cannot be read.
    pub(super) fn resize(&self, bytes: Option<u64>) -> io::Result<()> {
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => {
                let system = statvfs(&self.root)?;
                BYTES_DEFAULT.min(system.f_blocks.saturating_mul(system.f_frsize) / PART_MAX)
            }
        };
        let mut state = self.lock();
        state.bytes = bytes;
        self.hold(&state);
        Ok(())
    }

    /// Lends the reserve.
    pub(super) fn lend(self: &Arc<Self>) -> Lease {
        self.lock().leases += 1;
        Lease(Arc::clone(self))
    }

    /// Whether the space is kept, and puts without a lease may go on.
    pub(super) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    /// Whether the newest put met a full disk.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Notes how a put ended.
    pub(super) fn note(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Takes the space back if nobody is lent it and there is as much. Returns whether it is held. Blocking.
    pub(super) fn take(&self) -> bool {
        let state = self.lock();
        if self.is_held() {
            return true;
        }
        let taken = state.leases == 0 && self.hold(&state);
        if taken {
            self.note(false);
            tracing::info!(bytes = state.bytes, "there is disk space again");
        }
        taken
    }

    /// Frees the space. Returns whether a put that met a full disk may find some now: also when another has given it up, perhaps after
    /// that put. Blocking.
    pub(super) fn give_up(&self) -> bool {
        let state = self.lock();
        if state.bytes == 0 || !self.is_held() {
            return state.bytes > 0;
        }
        if let Err(error) = fs::remove_file(self.path()) {
            // Somebody has removed it: it is made again before anything else is put.
            self.is_held.store(error.kind() != ErrorKind::NotFound, Ordering::Release);
            return false;
        }
        // Blocks of a removed file can be used again once the removal is on disk. Others have seen to it if this fails.
        let _synced = File::open(&self.root).and_then(|root| root.sync_all());
        self.is_held.store(false, Ordering::Release);
        counter!("hexflight_reserve_given_up_total").increment(1);
        gauge!("hexflight_reserve_bytes").set(0.0);
        tracing::warn!(bytes = state.bytes, "the disk is full: flushes get the space that was kept for them");
        true
    }

    /// Why a put without a lease is refused.
    pub(super) fn refusal(&self) -> io::Error {
        let bytes = self.lock().bytes;
        let text = format!(
            "the disk is full: fewer than the {bytes} bytes are free that are kept for flushes (--reserve)"
        );
        io::Error::new(ErrorKind::StorageFull, text)
    }

    fn hold(&self, state: &State) -> bool {
        let path = self.path();
        let held = match state.bytes {
            0 => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            bytes => allocate(&path, bytes),
        };
        gauge!("hexflight_reserve_bytes").set(if held.is_ok() { state.bytes as f64 } else { 0.0 });
        let may_go_on = match &held {
            Ok(()) => true,
            Err(error) => {
                // Half of it would be missing elsewhere and be of no use.
                let _removed = fs::remove_file(&path);
                // A system that does not let us keep space, such as one with a limit on the size of files, is no full disk.
                let is_full = is_out_of_space(error);
                if !is_full {
                    tracing::warn!(bytes = state.bytes, %error, "cannot keep disk space for flushes");
                }
                !is_full
            }
        };
        self.is_held.store(may_go_on, Ordering::Release);
        may_go_on
    }

    fn path(&self) -> PathBuf {
        self.root.join(RESERVE_FILE)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Size of the largest file that this process may write, where Linux tells of one. **Units**: bytes.
fn file_bytes_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max file size"))?;
    limit.split_whitespace().next()?.parse().ok()
}

/// Makes a file with as many bytes on disk, also over one that has the size and lacks the blocks.
fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE_FILE).open(path)?;
    // Beyond this limit the system ends the process with a signal instead of an error.
    if file_bytes_max().is_some_and(|limit| limit < bytes) {
        return Err(ErrorKind::FileTooLarge.into());
    }
    file.set_len(bytes)?;
    // Without this look the last of the space would be taken and given back, and others would meet a full disk meanwhile.
    let system = fstatvfs(&file)?;
    let free = system
        .f_bavail
        .saturating_mul(system.f_frsize)
        .saturating_add(file.metadata()?.blocks() * BLOCK_BYTES);
    if free < bytes {
        return Err(ErrorKind::StorageFull.into());
    }
    match fallocate(&file, FallocateFlags::empty(), 0, bytes).map_err(io::Error::from) {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => {
            write_zeros(file, bytes)
        }
        allocated => allocated,
    }
}

fn write_zeros(mut file: File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS];
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    while left > 0 {
        let written = file.write(&zeros[..left.min(ZEROS)])?;
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        left -= written;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 1 << 20;

    fn reserve() -> (tempfile::TempDir, Arc<Reserve>) {
        let root = tempfile::tempdir().unwrap();
        let reserve = Arc::new(Reserve::open(root.path()));
        reserve.resize(Some(BYTES)).unwrap();
        (root, reserve)
    }

    #[test]
    fn the_space_is_on_the_disk_until_it_is_given_up() {
        let (root, reserve) = reserve();
        let meta = fs::metadata(root.path().join(RESERVE_FILE)).unwrap();
        assert!(meta.len() == BYTES && meta.blocks() * 512 >= BYTES, "{} blocks", meta.blocks());
        assert!(reserve.give_up() && !reserve.is_held());
        assert!(!root.path().join(RESERVE_FILE).exists());
        assert!(reserve.give_up(), "whoever met the full disk before tries again");
    }

    #[test]
    fn what_is_lent_is_not_taken_back() {
        let (_root, reserve) = reserve();
        let lease = reserve.lend();
        assert!(reserve.give_up());
        assert!(!reserve.take());
        drop(lease);
        assert!(reserve.take() && reserve.is_held());
    }

    #[test]
    fn a_start_takes_over_what_is_there_and_changes_its_size() {
        let (root, reserve) = reserve();
        drop(reserve);
        let next = Reserve::open(root.path());
        next.resize(Some(BYTES / 2)).unwrap();
        assert_eq!(fs::metadata(root.path().join(RESERVE_FILE)).unwrap().len(), BYTES / 2);
        next.resize(Some(0)).unwrap();
        assert!(next.is_held() && !next.give_up());
        assert!(!root.path().join(RESERVE_FILE).exists());
    }

    #[test]
    fn space_that_is_not_there_is_not_held_and_leaves_nothing() {
        let (root, reserve) = reserve();
        let free = statvfs(root.path()).map(|system| system.f_bavail * system.f_frsize).unwrap();
        reserve.resize(Some(free * 2)).unwrap();
        assert!(!reserve.is_held() && !reserve.take());
        assert!(!root.path().join(RESERVE_FILE).exists());
        assert!(is_out_of_space(&reserve.refusal()));
    }
}
