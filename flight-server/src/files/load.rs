//! The pipeline of an import: files one after the other, two of their pieces at once, batches into the sink. Nothing is committed
//! here.
//!
//! ```text
//!  sources ─▶ hash, open, skip what is loaded ─▶ units ─┬─▶ reader thread ─▶ batches ─┬─▶ Sink::push ─▶ rejects
//!                                                       └─▶ reader thread ─▶ batches ─┘
//! ```
//! Memory is bounded by what is between the arrows: a unit waits, two are read, each with two batches waiting and two in the sink.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{StreamExt, stream::FuturesUnordered};
use hexflight_engine::{BadRow, ColumnRole, ContentHash, OnBadRow, OnLoaded, SourceId, tasks};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    content::Content,
    error::ImportError,
    event::Seen,
    file::{InputFile, ReadRules, Unit},
    ignored::Ignored,
    mapping::ColumnRules,
    progress::LoadProgress,
    rejects::Rejects,
    remote,
    rows::{RowNumbers, Rows},
    sink::{PushError, Sink},
    source::{Source, SourcePlace},
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
    pub(crate) on_loaded: OnLoaded,
    /// Where fetched files wait to be read.
    pub(crate) scratch_dir: PathBuf,
}

/// What was handed to the sink.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Sources of which rows were taken, each once.
    pub(crate) sources: Vec<SourceId>,
    /// Files that were read.
    pub(crate) files: usize,
    /// Files that were loaded before.
    pub(crate) known: usize,
    /// Files with the same content as another one of this import.
    pub(crate) repeated: usize,
    /// Columns and fields of files that fill nothing.
    pub(crate) ignored: Vec<String>,
}

/// What is known of a file after it was read, without the file.
#[derive(Debug)]
struct Taken {
    source: SourceId,
    name: String,
    rows: Arc<AtomicU64>,
    ignored: Ignored,
    seen: Option<Seen>,
}

/// A file that is being read; the permit bounds how many fetched files there are.
struct Reading {
    file: InputFile,
    /// Rows in the sink.
    rows: Arc<AtomicU64>,
    _fetched: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// Everything that the parts of the pipeline share.
pub(crate) struct Load<'a, S> {
    pub(crate) rules: &'a LoadRules,
    pub(crate) sink: &'a S,
    pub(crate) progress: &'a LoadProgress,
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
        let ((mut loaded, files), ()) =
            tokio::try_join!(self.open_all(sources, sender), self.read_all(units))?;
        loaded.files = files.len();
        check_filled(&files, &self.rules.read.columns)?;
        let all = Ignored::default();
        for file in files {
            if file.rows.load(Ordering::Relaxed) > 0 {
                loaded.sources.push(file.source);
            }
            file.ignored.names().iter().for_each(|name| all.add(name));
        }
        loaded.ignored = all.names();
        Ok(loaded)
    }

    /// Reads one file that is open already.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) async fn run_one(&self, file: InputFile) -> Result<(), ImportError> {
        let (sender, units) = mpsc::channel(1);
        let send = async {
            let reading = Arc::new(Reading { file, rows: Arc::default(), _fetched: None });
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
    ) -> Result<(Loaded, Vec<Taken>), ImportError> {
        let fetched = Arc::new(Semaphore::new(FETCHED_MAX));
        let (mut loaded, mut files, mut seen) = (Loaded::default(), Vec::new(), HashSet::new());
        for source in sources {
            let permit = match source.place {
                SourcePlace::Local(_) => None,
                // Never closed: an error here would mean so.
                SourcePlace::Remote(..) => Arc::clone(&fetched).acquire_owned().await.ok(),
            };
            let (content, hash) = self.content(&source).await?;
            let (file, recipe) = self.open(&source, content).await?;
            let id = SourceId { content: hash, recipe: Some(recipe) };
            if !seen.insert(id) {
                loaded.repeated += 1;
                self.progress.file_skipped(source.bytes);
                continue;
            }
            if self.rules.on_loaded == OnLoaded::Refuse && self.sink.is_loaded(&id).await? {
                loaded.known += 1;
                self.progress.file_skipped(source.bytes);
                continue;
            }
            self.progress.file_begun();
            let rows = Arc::<AtomicU64>::default();
            files.push(Taken {
                source: id,
                name: source.name,
                rows: Arc::clone(&rows),
                ignored: file.mapping().ignored,
                seen: file.seen().cloned(),
            });
            let reading = Arc::new(Reading { file, rows, _fetched: permit });
            self.send_units(&reading, &units).await;
        }
        Ok((loaded, files))
    }

    async fn content(&self, source: &Source) -> Result<(Content, ContentHash), ImportError> {
        let name = source.name.clone();
        let path = match &source.place {
            SourcePlace::Remote(store, key) => {
                return remote::fetch(&name, store.as_ref(), key, &self.rules.scratch_dir).await;
            }
            SourcePlace::Local(path) => path.clone(),
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

    async fn open(&self, source: &Source, content: Content) -> Result<(InputFile, ContentHash), ImportError> {
        let (source, rules, stop) = (source.clone(), self.rules.read.clone(), self.stop.clone());
        blocking(source.name.clone(), move || {
            let file = InputFile::open(&source.name, content, source.format, source.compression, &rules)?;
            let recipe = file.recipe(&stop)?;
            Ok((file, recipe))
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
        tokio::try_join!(reader, self.push_all(&reading, batches)).map(drop)
    }

    async fn push_all(
        &self,
        reading: &Reading,
        mut batches: mpsc::Receiver<Rows>,
    ) -> Result<(), ImportError> {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(pushed) = running.next(), if !running.is_empty() => pushed?,
                Some(rows) = batches.recv(), if running.len() < PUSHES => running.push(self.push(reading, rows)),
                else => return Ok(()),
            }
        }
    }

    async fn push(&self, reading: &Reading, rows: Rows) -> Result<(), ImportError> {
        let file = &reading.file;
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
        reading.rows.fetch_add(taken as u64, Ordering::Relaxed);
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

/// A name that the user gave must be a member of some event: misspelled, it would leave a column empty. Files whose columns are known
/// from the start were refused when they were opened.
fn check_filled(files: &[Taken], rules: &ColumnRules) -> Result<(), ImportError> {
    let has = |column| files.iter().any(|file| file.seen.as_ref().is_none_or(|seen| seen.has(column)));
    let Some(first) = files.iter().find(|file| file.rows.load(Ordering::Relaxed) > 0) else { return Ok(()) };
    let renamed = rules.renamed.iter().map(|(column, name)| (*column, column.name(), name));
    let position =
        rules.position.iter().map(|position| (ColumnRole::Latitude, "the position", &position.name));
    match renamed.chain(position).find(|(column, _, _)| !has(*column)) {
        None => Ok(()),
        Some((_, target, name)) => {
            let reason = format!("'{name}', mapped to {target}, is in none of its events");
            Err(ImportError::file(&first.name, reason))
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
    let done = tasks::spawn_blocking(work).await;
    done.map_err(|error| format!("its decoder failed: {error}"))
        .and_then(|done| done)
        .map_err(|reason| ImportError::File { file: name, reason })
}
