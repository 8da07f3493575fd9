//! `console`: the only file that prints. Commands hand it finished text; it knows stdout from stderr, terminals from pipes,
//! and that a reader who leaves early (`| head`) is no error. It also holds [`CliError`], the one line a command ends with.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub use crate::grouped::grouped;
use crate::{client::ClientError, files::ImportError};
use hexflight_engine::time::{self, Instant};

/// How often a progress line is printed where there is no terminal to redraw it on.
const PLAIN_PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Why a command failed; its text is the one line that goes to stderr before exit code 1. A refused statement may have two more,
/// which show the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// An argument breaks a rule that clap cannot see.
    #[error("--{field} {value}: {rule}")]
    Argument {
        /// The flag without its dashes.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        rule: String,
    },
    /// The server could not be reached or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Files could not be loaded.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A result could not be written in the wanted format.
    #[error("cannot write the result: {0}")]
    Format(#[from] arrow::error::ArrowError),
    /// A file or pipe failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, for example `write to stdout`.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file of users cannot be used.
    #[error("auth file {}: {detail}", path.display())]
    AuthFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        detail: String,
    },
    /// A server in this process did not start or stop.
    #[error("{0}")]
    Server(String),
    /// A data directory could not be looked at or copied.
    #[error("{0}")]
    DataDir(String),
    /// Objects of a data directory are damaged or missing; each was printed.
    #[error("{}: damaged or missing objects: {findings}", data_dir.display())]
    Damaged {
        /// How many were printed.
        findings: usize,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// A statement failed; the text is the server's, with the place of the statement.
    #[error("{0}")]
    Statement(String),
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
    /// A task of the command panicked.
    #[error("task {name} ended early: {reason}")]
    Task {
        /// Name of the task.
        name: &'static str,
        /// What the runtime said.
        reason: String,
    },
    /// The demo's answers differ from its own count.
    #[error("{failed} of {asked} checks failed: an answer differs from the simulator's own count")]
    Checks {
        /// Checks that failed.
        failed: usize,
        /// Checks that were made.
        asked: usize,
    },
}

/// Stdout for results; a closed pipe turns it into a sink that says so.
#[derive(Debug)]
pub struct Output {
    stdout: io::BufWriter<io::Stdout>,
    closed: Arc<AtomicBool>,
}

impl Output {
    /// Opens stdout.
    #[must_use]
    pub fn stdout() -> Self {
        Self { stdout: io::BufWriter::new(io::stdout()), closed: Arc::default() }
    }

    /// Whether the reader has gone: nothing that is written from now on is seen.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// [`Self::is_closed`] for who has lent the output to a writer.
    #[must_use]
    pub fn closed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closed)
    }

    fn absorb<T>(&mut self, written: io::Result<T>, gone: T) -> io::Result<T> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(gone)
            }
            other => other,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed() {
            return Ok(bytes.len());
        }
        let written = self.stdout.write(bytes);
        self.absorb(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let flushed = self.stdout.flush();
        self.absorb(flushed, ())
    }
}

/// Writes one line to stdout.
///
/// # Errors
/// [`CliError::Io`] when stdout fails for another reason than a reader that left.
pub fn say(line: &str) -> Result<(), CliError> {
    let mut output = Output::stdout();
    writeln!(output, "{line}").and_then(|()| output.flush()).map_err(stdout_error)
}

/// Writes one line to stderr; there is nobody left to tell when that fails.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes to stderr without ending the line.
pub(crate) fn prompt(text: &str) {
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Names a failed write to stdout.
#[must_use]
pub fn stdout_error(source: io::Error) -> CliError {
    CliError::Io { action: "write to stdout".to_owned(), source }
}

/// One line on stderr that is redrawn in a terminal, and printed now and then elsewhere.
#[derive(Debug)]
pub struct ProgressLine {
    bar: Option<ProgressBar>,
    printed: Instant,
}

impl ProgressLine {
    /// Starts an empty line.
    #[must_use]
    pub fn start() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        Self { bar, printed: time::now() }
    }

    /// Starts a line that is also printed where it cannot be redrawn, at once and then as often as it says something new.
    #[must_use]
    pub fn start_printing() -> Self {
        let line = Self::start();
        let interval = PLAIN_PROGRESS_INTERVAL;
        Self { printed: line.printed.checked_sub(interval).unwrap_or(line.printed), ..line }
    }

    /// Shows `text` in place of what was there.
    pub fn update(&mut self, text: String) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.tick();
            }
            None if self.printed.elapsed() >= PLAIN_PROGRESS_INTERVAL => {
                self.printed = time::now();
                note(&text);
            }
            None => {}
        }
    }

    /// Takes the line away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes a time in milliseconds with one decimal.
#[must_use]
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
