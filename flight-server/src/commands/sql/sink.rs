//! `Sink`: where results go: stdout, or a file that appears under its name only with whole results in it.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use tempfile::TempPath;

use crate::console::{CliError, Output, stdout_error};

/// What a new file may be used for before the umask is applied; a temporary file alone would be private.
const NEW_FILE_MODE: u32 = 0o666;

/// Where results go.
#[derive(Debug)]
pub(super) enum Sink {
    /// Standard output.
    Stdout(Output),
    /// A file.
    File(OutputFile),
}

/// A file with zero or more whole results, and perhaps a part of one behind them.
#[derive(Debug)]
pub(super) struct OutputFile {
    file: BufWriter<File>,
    /// Removes the temporary name when dropped; `None` once the file has its own, or never had another.
    temporary: Option<TempPath>,
    path: PathBuf,
    /// Length of the whole results; `None` for what is no regular file, such as a pipe.
    whole_bytes: Option<u64>,
}

impl Sink {
    /// Stdout.
    pub(super) fn stdout() -> Self {
        Self::Stdout(Output::stdout())
    }

    /// A file; `-` is stdout.
    ///
    /// # Errors
    /// `Io` when the folder does not exist or cannot be written.
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        if path.as_os_str() == "-" {
            return Ok(Self::stdout());
        }
        let opened = OutputFile::create(path).map_err(|source| write_error(path, source))?;
        Ok(Self::File(opened))
    }

    /// Set when nobody reads any more.
    pub(super) fn closed(&self) -> Arc<AtomicBool> {
        match self {
            Self::Stdout(output) => output.closed(),
            Self::File(_) => Arc::default(),
        }
    }

    /// Keeps all that was written since the last time: a file now has its name.
    ///
    /// # Errors
    /// `Io` when it cannot be written to the end.
    pub(super) fn commit(&mut self) -> Result<(), CliError> {
        match self {
            Self::Stdout(output) => output.flush().map_err(stdout_error),
            Self::File(file) => file.commit().map_err(|source| write_error(&file.path, source)),
        }
    }

    /// Takes back what was written since the last commit, as far as that can be done.
    ///
    /// # Errors
    /// `Io` when the file cannot be cut.
    pub(super) fn roll_back(&mut self) -> Result<(), CliError> {
        match self {
            Self::Stdout(output) => output.flush().map_err(stdout_error),
            Self::File(file) => file.roll_back().map_err(|source| write_error(&file.path, source)),
        }
    }

    /// The file's name.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout(_) => None,
            Self::File(file) => Some(&file.path),
        }
    }

    /// Whether a result is in it already.
    pub(super) fn holds_results(&self) -> bool {
        matches!(self, Self::File(file) if file.whole_bytes.is_some_and(|bytes| bytes > 0))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(output) => output.write(bytes),
            Self::File(file) => file.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(output) => output.flush(),
            Self::File(file) => file.file.flush(),
        }
    }
}

impl OutputFile {
    /// A link is followed: the file that it names is replaced, not the link. What is no regular file is written as it is.
    fn create(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let existing = fs::metadata(&path).ok();
        if existing.as_ref().is_some_and(|found| !found.is_file()) {
            let file = BufWriter::new(File::options().write(true).open(&path)?);
            return Ok(Self { file, temporary: None, path, whole_bytes: None });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let (file, temporary) = tempfile::Builder::new()
            .prefix(".hexflight-")
            .suffix(".part")
            .permissions(Permissions::from_mode(NEW_FILE_MODE))
            .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))?
            .into_parts();
        if let Some(found) = existing {
            file.set_permissions(found.permissions())?;
        }
        Ok(Self { file: BufWriter::new(file), temporary: Some(temporary), path, whole_bytes: Some(0) })
    }

    fn commit(&mut self) -> io::Result<()> {
        self.file.flush()?;
        if self.whole_bytes.is_some() {
            self.whole_bytes = Some(self.file.stream_position()?);
        }
        match self.temporary.take() {
            Some(temporary) => temporary.persist(&self.path).map_err(|failed| failed.error),
            None => Ok(()),
        }
    }

    fn roll_back(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let Some(whole_bytes) = self.whole_bytes else { return Ok(()) };
        self.file.get_ref().set_len(whole_bytes)?;
        self.file.seek(SeekFrom::Start(whole_bytes)).map(drop)
    }
}

fn write_error(path: &Path, source: io::Error) -> CliError {
    CliError::Io { action: format!("write to {}", path.display()), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_with_its_first_whole_result() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let mut sink = Sink::create(&path).unwrap();
        sink.write_all(b"first\n").unwrap();
        assert!(!path.exists());
        sink.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first\n");
        sink.write_all(b"half").unwrap();
        sink.roll_back().unwrap();
        sink.write_all(b"second\n").unwrap();
        sink.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first\nsecond\n");
    }

    #[test]
    fn a_file_that_was_not_committed_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        let mut sink = Sink::create(&path).unwrap();
        sink.write_all(b"new").unwrap();
        drop(sink);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_keeps_pointing_at_the_file_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut sink = Sink::create(&link).unwrap();
        sink.write_all(b"new").unwrap();
        sink.commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_device_is_written_and_not_replaced() {
        let mut sink = Sink::create(Path::new("/dev/null")).unwrap();
        sink.write_all(b"gone").unwrap();
        sink.commit().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
