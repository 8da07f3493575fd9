//! `Tables`: the tables of an engine, and what is true of all of them together. Whatever works on rows comes through here; a table's log is
//! below (`delta`), what is done with tables is above (`flush`, `import`, `compact`, `upkeep`, `takeover`). It starts no task.

mod commit_end;
mod table;

pub(crate) use commit_end::CommitEnd;
pub(crate) use table::Table;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    clock::Clock,
    delta::{DeltaLog, TableState},
    error::{EngineError, Result},
    ingest::Normaliser,
    options::EngineOptions,
    schema::{Sequence, StreamId, TableName, TableSpec},
    store::Store,
    wal::Survey,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Tables {
    by_name: BTreeMap<TableName, Table>,
}

impl Tables {
    /// Opens each table; one that is not there is made, unless the engine only reads.
    ///
    /// # Errors
    /// `Corrupt` when a log is not what was written, `Unavailable` when the store fails.
    pub(crate) async fn open(
        store: &Store,
        specs: Vec<TableSpec>,
        options: &EngineOptions,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let flushed = Survey::of(store).await?.flushed();
        let mut by_name = BTreeMap::new();
        for spec in specs {
            let spec = Arc::new(spec);
            let log = DeltaLog::new(store.clone(), Arc::clone(&spec), Arc::clone(clock));
            let state = if options.read_only {
                log.load(flushed.as_ref()).await?.unwrap_or_else(TableState::empty)
            } else {
                log.with_reserve().open(flushed.as_ref()).await?
            };
            let normaliser =
                Arc::new(Normaliser::new(Arc::clone(&spec), options.max_future, Arc::clone(clock)));
            by_name.insert(spec.name().clone(), Table::new(spec, normaliser, log, state));
        }
        Ok(Self { by_name })
    }

    /// A table by name.
    ///
    /// # Errors
    /// `NotFound` for an unknown table.
    pub(crate) fn get(&self, name: &TableName) -> Result<&Table> {
        self.by_name.get(name).ok_or_else(|| EngineError::UnknownTable {
            name: name.to_string(),
            known: self.by_name.keys().map(TableName::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    /// All tables, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Table> {
        self.by_name.values()
    }

    /// The last sequence of a stream whose rows are in files, in all tables.
    pub(crate) fn flushed(&self, stream: StreamId) -> Sequence {
        self.iter().map(|table| table.flushed(stream)).min().unwrap_or_default()
    }

    /// Whether rows of a stream are in memory.
    pub(crate) fn holds(&self, stream: StreamId) -> bool {
        self.iter().any(|table| table.view.holds(stream))
    }

    /// A stream has ended: its active generations take no more.
    pub(crate) fn end_stream(&self, stream: StreamId) {
        self.iter().for_each(|table| table.view.end_stream(stream));
    }

    /// Memory that the active generations are accounted for. **Units**: bytes.
    pub(crate) fn active_bytes(&self) -> usize {
        self.iter().map(|table| table.view.active_bytes()).sum()
    }

    /// Marks the newest versions: whoever wrote them, their loss is noticed from now on.
    pub(crate) async fn mark_versions(&self) {
        for table in self.iter() {
            table.log.with_reserve().mark_loaded(table.view.snapshot().table.version()).await;
        }
    }
}
