//! `hexflight import`: finds the files, looks at all of them, loads them into a folder or through a server, and says what happened.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hexflight_engine::{
    Engine, EngineError, EngineOptions, ImportSummary, SourceId, Store, SystemClock,
    time::{self, Instant},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{args::ImportArgs, check};
use crate::{
    client::{Client, ServerAddress},
    config::Config,
    console::{self, CliError, ProgressLine, grouped},
    files::{
        error::ImportError,
        load::{Load, LoadRules, Loaded},
        progress::{LoadProgress, megabytes, per_second},
        rejects::Rejects,
        sink::{EngineSink, ServerSink, Sink},
        source::{self, Found, Source, SourcePlace},
    },
    on_error::OnError,
    serve_error::ServeError,
};

/// How often the progress line changes.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Runs the command.
///
/// # Errors
/// `Argument` when arguments do not fit each other, `Import` when nothing was loaded.
pub async fn run(args: ImportArgs) -> Result<(), CliError> {
    let mut interruption = Interruption::listen()?;
    let read = args.read_rules()?;
    let config = args.config().map_err(|error| CliError::Server(ServeError::from(error).to_string()))?;
    let finding = source::find(&args.paths, args.format);
    let Found { sources, passed_over, data_dirs } =
        interruption.or(finding, ImportError::Interrupted).await?;
    for data_dir in &data_dirs {
        console::note(&format!("passed over {}: a data directory of hexflight", data_dir.display()));
    }
    if passed_over > 0 {
        console::note(&format!(
            "passed over {} files in other formats or with rejects of earlier loads",
            grouped(passed_over as u64)
        ));
    }
    let scratch_dir = std::env::temp_dir();
    let rules = LoadRules { read, on_bad_row: args.on_bad_row(), on_loaded: args.on_loaded(), scratch_dir };
    if args.dry_run {
        let table = args.table();
        let checked = check::run(&sources, &table, config.max_future, &rules);
        return interruption.or(checked, ImportError::Interrupted).await;
    }
    let rejects = match args.on_error {
        OnError::Abort => Rejects::default(),
        OnError::Skip => Rejects::into_file(args.rejects_file()?),
    };
    let job = Job { args: &args, rules, sources, rejects };
    interruption.or(job.survey(), ImportError::Interrupted).await?;
    match &args.target {
        Some(target) => job.through_server(target, &mut interruption).await,
        None => job.into_folder(&config, &mut interruption).await,
    }
}

/// One run of the command.
struct Job<'a> {
    args: &'a ImportArgs,
    rules: LoadRules,
    sources: Vec<Source>,
    rejects: Rejects,
}

impl Job<'_> {
    /// Opens every local file once: what is wrong with the last one should not come out after hours of reading the others.
    async fn survey(&self) -> Result<(), CliError> {
        for source in self.sources.iter().filter(|source| matches!(source.place, SourcePlace::Local(_))) {
            check::open(source, &self.rules).await?;
        }
        Ok(())
    }

    async fn into_folder(mut self, config: &Config, interruption: &mut Interruption) -> Result<(), CliError> {
        let engine = interruption.or(open_engine(config), ImportError::Interrupted).await?;
        // Fetched files are as large as what they become.
        self.rules.scratch_dir.clone_from(&config.data_dir);
        let loaded = Box::pin(self.with_engine(&engine, interruption)).await;
        let closed = engine.shutdown().await.map_err(|error| CliError::from(ImportError::from(error)));
        loaded.and(closed)
    }

    async fn with_engine(
        &self,
        engine: &Arc<Engine>,
        interruption: &mut Interruption,
    ) -> Result<(), CliError> {
        let (on_bad_row, on_loaded) = (self.rules.on_bad_row, self.rules.on_loaded);
        let sink = EngineSink::begin(engine, &self.args.table(), on_bad_row, on_loaded).await?;
        let run = self.read_into(&sink, interruption).await?;
        let summary =
            run.committed(interruption, |sources| async move { sink.commit(&sources).await }).await?;
        run.say(self.args, summary.as_ref())
    }

    async fn through_server(&self, target: &str, interruption: &mut Interruption) -> Result<(), CliError> {
        let client = Client::connect(ServerAddress::new(target, self.args.tls_ca.clone())).await?;
        let (on_bad_row, on_loaded) = (self.rules.on_bad_row, self.rules.on_loaded);
        let sink = ServerSink::begin(&client, &self.args.table(), on_bad_row, on_loaded);
        let run = self.read_into(&sink, interruption).await?;
        let summary =
            run.committed(interruption, |sources| async move { sink.commit(&sources).await }).await?;
        run.say(self.args, summary.as_ref())
    }

    /// Reads all files into the sink, showing how it goes.
    async fn read_into<S: Sink>(&self, sink: &S, interruption: &mut Interruption) -> Result<Run, CliError> {
        let started = time::now();
        let progress =
            LoadProgress::of(self.sources.len(), self.sources.iter().map(|source| source.bytes).sum());
        let rejects = &self.rejects;
        let stop = CancellationToken::new();
        // Whatever ends this, the readers stop.
        let _stop = stop.clone().drop_guard();
        let load = Load { rules: &self.rules, sink, progress: &progress, rejects, stop: &stop };
        let run = Box::pin(load.run(self.sources.clone()));
        let loading = with_progress(run, || progress.text(started.elapsed()));
        let loaded = interruption.or(loading, ImportError::Interrupted).await;
        rejects.flush().await?;
        let loaded = loaded?;
        Ok(Run {
            started,
            files: self.sources.len(),
            rows: progress.rows(),
            rejected: rejects.count().await,
            rejects_path: rejects.path().await,
            loaded,
        })
    }
}

/// What was read, and what became of it.
struct Run {
    started: Instant,
    files: usize,
    rows: u64,
    rejected: u64,
    /// Where they are listed.
    rejects_path: Option<PathBuf>,
    loaded: Loaded,
}

impl Run {
    /// Commits, unless there is nothing new.
    async fn committed<F>(
        &self,
        interruption: &mut Interruption,
        commit: impl FnOnce(Vec<SourceId>) -> F,
    ) -> Result<Option<ImportSummary>, ImportError>
    where
        F: Future<Output = Result<ImportSummary, ImportError>>,
    {
        if self.loaded.sources.is_empty() {
            return Ok(None);
        }
        let (begun, rows) = (time::now(), grouped(self.rows));
        let committing = with_progress(commit(self.loaded.sources.clone()), || {
            format!("sorting and writing {rows} rows: {:.0} s", begun.elapsed().as_secs_f64())
        });
        interruption.or(committing, ImportError::InterruptedCommit).await.map(Some)
    }

    fn say(&self, args: &ImportArgs, summary: Option<&ImportSummary>) -> Result<(), CliError> {
        let Loaded { files, known, repeated, ignored, .. } = &self.loaded;
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(summary) = summary {
            console::say(&format!(
                "loaded    {} rows of {} {} in {seconds:.1} s: {} rows/s",
                grouped(summary.rows),
                files,
                if *files == 1 { "file" } else { "files" },
                grouped(per_second(summary.rows, seconds)),
            ))?;
            console::say(&format!(
                "written   {} Parquet files, {}, as version {} of table {}",
                grouped(summary.files as u64),
                megabytes(summary.bytes),
                summary.version,
                args.table
            ))?;
        } else if *files > 0 {
            console::say("loaded    nothing: there was no row to take")?;
        } else {
            console::say("loaded    nothing: there is no new file")?;
        }
        if *known > 0 {
            let total = self.files;
            console::say(&format!(
                "skipped   {known} of {total} files were loaded before; --force loads them again"
            ))?;
        }
        if *repeated > 0 {
            console::say(&format!("skipped   {repeated} of {} files repeat another one", self.files))?;
        }
        let listed = self.rejects_path.as_ref().map(|path| format!(", listed in {}", path.display()));
        let listed = listed.unwrap_or_default();
        if self.rejected > 0 {
            console::say(&format!("rejected  {} rows{listed}", grouped(self.rejected)))?;
        }
        if !ignored.is_empty() {
            console::say(&format!("ignored   columns {}", ignored.join(", ")))?;
        }
        if summary.is_none() && self.rejected > 0 {
            return Err(ImportError::AllRejected { rejected: self.rejected, listed }.into());
        }
        Ok(())
    }
}

async fn open_engine(config: &Config) -> Result<Arc<Engine>, ImportError> {
    let held = |error| match error {
        EngineError::Locked { .. } => ImportError::Held { path: config.data_dir.display().to_string() },
        error => error.into(),
    };
    let store = Store::open_local(&config.data_dir).await.map_err(held)?;
    let options = EngineOptions {
        memory_limit_bytes: config.memory_limit_bytes,
        max_future: config.max_future,
        reserve_bytes: config.reserve_bytes,
        // The disk is for the load; a server that serves the folder merges later.
        compact: false,
        ..EngineOptions::default()
    };
    Ok(Engine::open(store, options, Arc::new(SystemClock)).await?)
}

/// Runs `work` and shows how it goes.
async fn with_progress<T>(work: impl Future<Output = T>, text: impl Fn() -> String) -> T {
    let mut work = std::pin::pin!(work);
    let mut line = ProgressLine::start();
    let mut ticks = time::interval(PROGRESS_INTERVAL);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            _ = ticks.tick() => line.update(text()),
        }
    };
    line.finish();
    done
}

/// SIGINT and SIGTERM; listened for from the start, so that neither ends the process in the middle of something.
#[derive(Debug)]
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    fn listen() -> Result<Self, CliError> {
        let listen = |kind| {
            let failed = |source| CliError::Io { action: "listen for signals".to_owned(), source };
            signal(kind).map_err(failed)
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Runs `work` until it ends, or the user ends it.
    async fn or<T, E>(
        &mut self,
        work: impl Future<Output = Result<T, E>>,
        interrupted: impl Into<E>,
    ) -> Result<T, E> {
        tokio::select! {
            biased;
            done = work => done,
            _ = self.interrupt.recv() => Err(interrupted.into()),
            _ = self.terminate.recv() => Err(interrupted.into()),
        }
    }
}
