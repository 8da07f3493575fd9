//! The dry run: reads every file whole, judges every row by the rules of the table, loads nothing, and says what it found.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{AsArray, RecordBatch},
    compute::{max, min},
    datatypes::TimestampMicrosecondType,
};
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use hexflight_engine::{
    BadRow, EngineError, Normaliser, OnBadRow, SourceId, SystemClock, TableName, TableSpec, column, tasks,
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    console::{self, CliError, grouped},
    files::{
        content::Content,
        error::{ImportError, row_text},
        file::InputFile,
        load::{Load, LoadRules, blocking},
        mapping::{Mapping, Origin},
        progress::LoadProgress,
        rejects::Rejects,
        remote,
        sink::{PushError, Sink},
        source::{Source, SourcePlace},
    },
};

/// Bad rows of a file that are shown.
const PROBLEMS_SHOWN: usize = 5;

/// Judges rows as the engine would, and drops them.
#[derive(Debug)]
struct Judge {
    normaliser: Arc<Normaliser>,
    /// Earliest and latest good row. **Units**: µs.
    range: Mutex<Option<(i64, i64)>>,
}

#[async_trait]
impl Sink for Judge {
    async fn is_loaded(&self, _: &SourceId) -> Result<bool, ImportError> {
        Ok(false)
    }

    async fn push(&self, batch: RecordBatch) -> Result<Vec<BadRow>, PushError> {
        let normaliser = Arc::clone(&self.normaliser);
        let judged = tasks::spawn_blocking(move || normaliser.normalise_valid(&batch)).await;
        let judged = judged
            .map_err(|error| EngineError::Task { task: "normalise", detail: error.to_string() })
            .and_then(|judged| judged);
        let (good, bad) = judged.map_err(|error| PushError::Failed(error.into()))?;
        if let Some(times) = good.as_ref().and_then(|good| good.column_by_name(column::TIMESTAMP)) {
            let times = times.as_primitive::<TimestampMicrosecondType>();
            if let (Some(least), Some(most)) = (min(times), max(times)) {
                let mut range = self.range.lock();
                let (first, last) = range.unwrap_or((least, most));
                *range = Some((first.min(least), last.max(most)));
            }
        }
        Ok(bad)
    }
}

/// What was found in one file.
struct Report {
    mapping: Mapping,
    rows: u64,
    range: Option<(i64, i64)>,
    bad_rows: u64,
    problems: Vec<String>,
}

/// Looks at all sources and prints what would be loaded.
///
/// # Errors
/// `Unreadable` when files cannot be imported, `Checked` when rows would be refused, `AllRejected` when all would be skipped.
pub(super) async fn run(
    sources: &[Source],
    table: &TableName,
    max_future: Duration,
    rules: &LoadRules,
) -> Result<(), CliError> {
    let spec = Arc::new(TableSpec::events());
    if spec.name() != table {
        let known = spec.name().to_string();
        return Err(ImportError::Engine(EngineError::UnknownTable { name: table.to_string(), known }).into());
    }
    let normaliser = Arc::new(Normaliser::new(spec, max_future, Arc::new(SystemClock)));
    let (mut unreadable, mut rows, mut bad_rows, mut files_with_bad) = (0, 0, 0, 0);
    for source in sources {
        console::say(&format!("{} ({}, {} bytes)", source.name, source.format, grouped(source.bytes)))?;
        match look_at(source, &normaliser, rules).await {
            Ok(report) => {
                rows += report.rows;
                bad_rows += report.bad_rows;
                files_with_bad += usize::from(report.bad_rows > 0);
                report.say()?;
            }
            Err(error) => {
                unreadable += 1;
                console::say(&format!("  cannot be imported: {}", without_name(&error)))?;
            }
        }
    }
    let total = sources.len();
    console::say(&format!("{} good rows in {total} files; nothing was loaded (dry run)", grouped(rows)))?;
    if unreadable > 0 {
        return Err(ImportError::Unreadable { files: unreadable, total }.into());
    }
    if bad_rows > 0 && rules.on_bad_row == OnBadRow::Refuse {
        return Err(ImportError::Checked { rows: bad_rows, files: files_with_bad }.into());
    }
    if bad_rows > 0 && rows == 0 {
        return Err(ImportError::AllRejected { rejected: bad_rows, listed: String::new() }.into());
    }
    Ok(())
}

async fn look_at(
    source: &Source,
    normaliser: &Arc<Normaliser>,
    rules: &LoadRules,
) -> Result<Report, ImportError> {
    let file = open(source, rules).await?;
    let judge = Judge { normaliser: Arc::clone(normaliser), range: Mutex::default() };
    let rules = LoadRules { on_bad_row: OnBadRow::Skip, ..rules.clone() };
    let (progress, rejects) = (LoadProgress::default(), Rejects::default());
    let stop = CancellationToken::new();
    let load = Load { rules: &rules, sink: &judge, progress: &progress, rejects: &rejects, stop: &stop };
    // Dropped halfway, the readers stop.
    let _stop = stop.clone().drop_guard();
    load.run_one(file.clone()).await?;
    let problems =
        rejects.kept().await.iter().take(PROBLEMS_SHOWN).map(|reject| row_text(&reject.bad)).collect();
    let range = *judge.range.lock();
    Ok(Report {
        mapping: file.mapping(),
        rows: progress.rows(),
        range,
        bad_rows: rejects.count().await,
        problems,
    })
}

/// Opens a file, wherever it is.
///
/// # Errors
/// `File` when it cannot be read or its columns do not fit.
pub(super) async fn open(source: &Source, rules: &LoadRules) -> Result<InputFile, ImportError> {
    let fetched = match &source.place {
        SourcePlace::Local(_) => None,
        SourcePlace::Remote(store, key) => {
            Some(remote::fetch(&source.name, store.as_ref(), key, &rules.scratch_dir).await?.0)
        }
    };
    let (source, rules) = (source.clone(), rules.read.clone());
    blocking(source.name.clone(), move || {
        let content = match (fetched, &source.place) {
            (Some(content), _) => content,
            (None, SourcePlace::Local(path)) => {
                Content::open(path).map_err(|error| format!("it cannot be read: {error}"))?
            }
            (None, SourcePlace::Remote(..)) => return Err("it was not fetched".to_owned()),
        };
        InputFile::open(&source.name, content, source.format, source.compression, &rules)
    })
    .await
}

/// The name stands in the line above.
fn without_name(error: &ImportError) -> String {
    match error {
        ImportError::File { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

impl Report {
    fn say(&self) -> Result<(), CliError> {
        for entry in &self.mapping.entries {
            let name = entry.column.name();
            console::say(&match &entry.origin {
                Origin::Constant(text) => format!("  {name:<10} = {text}"),
                _ if entry.name.is_empty() => format!("  {name:<10} -"),
                _ if entry.found.is_empty() => format!("  {name:<10} <- {}: in no row", entry.name),
                _ => format!("  {name:<10} <- {}: {}", entry.name, entry.found),
            })?;
        }
        let ignored = self.mapping.ignored.names();
        if !ignored.is_empty() {
            console::say(&format!("  ignored    {}", ignored.join(", ")))?;
        }
        let range = self.range.map_or_else(String::new, |(first, last)| {
            format!(", {} to {}", instant_text(first), instant_text(last))
        });
        console::say(&format!("  rows       {}{range}", grouped(self.rows + self.bad_rows)))?;
        if self.bad_rows > 0 {
            console::say(&format!("  bad rows   {}", grouped(self.bad_rows)))?;
            for problem in &self.problems {
                console::say(&format!("    {problem}"))?;
            }
        }
        Ok(())
    }
}

fn instant_text(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}
