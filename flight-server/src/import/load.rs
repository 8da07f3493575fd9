//! The pipeline of an import: files one after the other, two of their pieces at once, batches into the sink. Nothing is committed
//! here.
//!
//! ```text
//!  sources ─▶ open, hash, skip what is loaded ─▶ units ─┬─▶ reader thread ─▶ batches ─┬─▶ Sink::push ─▶ rejects
//!                                                       └─▶ reader thread ─▶ batches ─┘
//! ```
//! Memory is bounded by what is between the arrows: a unit waits, two are read, each with two batches waiting and two in the sink.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use futures::{StreamExt, stream::FuturesUnordered};
use hexflight_engine::{BadRow, ContentHash, OnBadRow};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    content::Content,
    error::ImportError,
    file::{InputFile, ReadRules, Unit},
    progress::Progress,
    rejects::Rejects,
    remote,
    rows::{RowNumbers, Rows},
    sink::{PushError, Sink},
    source::{Place, Source},
};

/// Pieces that are read at once.
const READERS: usize = 2;

/// Batches of a piece that wait for the sink.
const WAITING_MAX: usize = 2;

/// Batches of a piece that the sink has at once.
const PUSHES: usize = 2;

/// Fetched files on disk at once: one is read while the next arrives.
const FETCHED_MAX: usize = 2;

/// How files are loaded.
#[derive(Debug, Clone)]
pub(crate) struct LoadRules {
    pub(crate) read: ReadRules,
    pub(crate) on_bad_row: OnBadRow,
    /// Where fetched files wait to be read.
    pub(crate) scratch_dir: PathBuf,
}

/// What was handed to the sink.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Contents that were loaded, each once.
    pub(crate) sources: Vec<ContentHash>,
    /// Files that were loaded before.
    pub(crate) known: usize,
    /// Files with the same content as another one of this import.
    pub(crate) repeated: usize,
    /// Columns of files that fill nothing.
    pub(crate) ignored: Vec<String>,
}

/// A file that is being read; the permit bounds how many fetched files there are.
struct Reading {
    file: InputFile,
    _fetched: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// Everything that the parts of the pipeline share.
pub(crate) struct Load<'a, S> {
    pub(crate) rules: &'a LoadRules,
    pub(crate) sink: &'a S,
    pub(crate) progress: &'a Progress,
    pub(crate) rejects: &'a Rejects,
    pub(crate) stop: &'a CancellationToken,
}

impl<S: Sink> Load<'_, S> {
    /// Reads all sources into the sink.
    ///
    /// **Cancellation**: dropped, the readers stop at their next batch; the sink's import can only be dropped.
    ///
    /// # Errors
    /// The first file that cannot be read or, unless they are skipped, the first row that breaks a rule.
    pub(crate) async fn run(&self, sources: Vec<Source>) -> Result<Loaded, ImportError> {
        let (sender, units) = mpsc::channel(1);
        let (loaded, ()) = tokio::try_join!(self.open_all(sources, sender), self.read_all(units))?;
        Ok(loaded)
    }

    /// Reads one file that is open already.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) async fn run_one(&self, file: InputFile) -> Result<(), ImportError> {
        let (sender, units) = mpsc::channel(1);
        let send = async {
            let reading = Arc::new(Reading { file, _fetched: None });
            self.send_units(&reading, &sender).await;
            drop(sender);
            Ok(())
        };
        tokio::try_join!(send, self.read_all(units)).map(drop)
    }

    async fn open_all(
        &self,
        sources: Vec<Source>,
        units: mpsc::Sender<(Arc<Reading>, Unit)>,
    ) -> Result<Loaded, ImportError> {
        let fetched = Arc::new(Semaphore::new(FETCHED_MAX));
        let (mut loaded, mut seen) = (Loaded::default(), HashSet::new());
        for source in sources {
            let permit = match source.place {
                Place::Local(_) => None,
                // Never closed: an error here would mean so.
                Place::Remote(..) => Arc::clone(&fetched).acquire_owned().await.ok(),
            };
            let (content, hash) = self.content(&source).await?;
            if !seen.insert(hash) {
                loaded.repeated += 1;
                self.progress.file_skipped(source.bytes);
                continue;
            }
            if self.sink.is_loaded(&hash).await? {
                loaded.known += 1;
                self.progress.file_skipped(source.bytes);
                continue;
            }
            let file = self.open(&source, content).await?;
            for name in file.mapping().ignored {
                if !loaded.ignored.contains(&name) {
                    loaded.ignored.push(name);
                }
            }
            loaded.sources.push(hash);
            self.progress.file_begun();
            let reading = Arc::new(Reading { file, _fetched: permit });
            self.send_units(&reading, &units).await;
        }
        Ok(loaded)
    }

    async fn content(&self, source: &Source) -> Result<(Content, ContentHash), ImportError> {
        let name = source.name.clone();
        let path = match &source.place {
            Place::Remote(store, key) => {
                return remote::fetch(&name, store.as_ref(), key, &self.rules.scratch_dir).await;
            }
            Place::Local(path) => path.clone(),
        };
        let stop = self.stop.clone();
        blocking(name, move || {
            let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
            let content = Content::open(&path).map_err(unreadable)?;
            let hash = content.hash(&stop).map_err(unreadable)?;
            Ok(hash.map(|hash| (content, hash)))
        })
        .await?
        .ok_or(ImportError::Interrupted)
    }

    async fn open(&self, source: &Source, content: Content) -> Result<InputFile, ImportError> {
        let (source, rules) = (source.clone(), self.rules.read.clone());
        blocking(source.name.clone(), move || {
            InputFile::open(&source.name, content, source.format, source.compression, &rules)
        })
        .await
    }

    async fn send_units(&self, reading: &Arc<Reading>, units: &mpsc::Sender<(Arc<Reading>, Unit)>) {
        for unit in reading.file.units() {
            // Fails only when reading has failed, whose error is the one to tell.
            let _stopped = units.send((Arc::clone(reading), unit)).await;
        }
    }

    async fn read_all(&self, mut units: mpsc::Receiver<(Arc<Reading>, Unit)>) -> Result<(), ImportError> {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(read) = running.next(), if !running.is_empty() => read?,
                Some((reading, unit)) = units.recv(), if running.len() < READERS => {
                    running.push(self.read(reading, unit));
                }
                else => return Ok(()),
            }
        }
    }

    /// Reads one piece on a thread of its own and hands its batches to the sink.
    async fn read(&self, reading: Arc<Reading>, unit: Unit) -> Result<(), ImportError> {
        let (sender, batches) = mpsc::channel(WAITING_MAX);
        let (input, stop) = (Arc::clone(&reading), self.stop.clone());
        let reader = blocking(reading.file.name.clone(), move || {
            input.file.read(&unit, |rows| !stop.is_cancelled() && sender.blocking_send(rows).is_ok())?;
            match input.file.content.is_changed() {
                Ok(false) => Ok(()),
                Ok(true) => Err("it was changed while it was read".to_owned()),
                Err(error) => Err(format!("it cannot be read: {error}")),
            }
        });
        tokio::try_join!(reader, self.push_all(&reading.file, batches)).map(drop)
    }

    async fn push_all(&self, file: &InputFile, mut batches: mpsc::Receiver<Rows>) -> Result<(), ImportError> {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(pushed) = running.next(), if !running.is_empty() => pushed?,
                Some(rows) = batches.recv(), if running.len() < PUSHES => running.push(self.push(file, rows)),
                else => return Ok(()),
            }
        }
    }

    async fn push(&self, file: &InputFile, rows: Rows) -> Result<(), ImportError> {
        let Rows { batch, numbers, bad, bytes } = rows;
        self.reject(file, bad).await?;
        let mut taken = batch.num_rows();
        if taken > 0 {
            match self.sink.push(batch).await {
                Ok(bad) => {
                    taken -= bad.len();
                    self.reject(file, in_file(file, &numbers, bad)).await?;
                }
                Err(PushError::Rows(bad)) => {
                    return self.reject(file, in_file(file, &numbers, bad.rows)).await;
                }
                Err(PushError::Failed(error)) => return Err(error),
            }
        }
        self.progress.add(taken as u64, bytes);
        Ok(())
    }

    /// Leaves rows out, or stops.
    async fn reject(&self, file: &InputFile, bad: Vec<BadRow>) -> Result<(), ImportError> {
        let Some(first) = bad.first() else { return Ok(()) };
        match self.rules.on_bad_row {
            OnBadRow::Refuse => {
                Err(ImportError::Row { file: file.name.clone(), bad: Box::new(first.clone()) })
            }
            OnBadRow::Skip => self.rejects.add(&file.name, bad).await,
        }
    }
}

/// The rows under the numbers and the column names of their file.
fn in_file(file: &InputFile, numbers: &RowNumbers, bad: Vec<BadRow>) -> Vec<BadRow> {
    if bad.is_empty() {
        return bad;
    }
    let mapping = file.mapping();
    let named = |bad: BadRow| {
        let column = mapping.file_name(&bad.column).to_owned();
        BadRow { row: numbers.in_file(bad.row), column, ..bad }
    };
    bad.into_iter().map(named).collect()
}

/// Reads a file on a blocking thread; its error, and a panic of a decoder, become the file's.
pub(crate) async fn blocking<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, ImportError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| format!("its decoder failed: {error}"))
        .and_then(|done| done)
        .map_err(|reason| ImportError::File { file: name, reason })
}
