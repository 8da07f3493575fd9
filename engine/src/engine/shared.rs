//! `Shared`: the parts of an engine. Each task takes those that it needs; nobody but `engine` sees all of them.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    budget::{Admission, Budget},
    clock::Clock,
    compact::CompactParts,
    error::Result,
    flush::{Flusher, Portion},
    health::Health,
    import::{ImportParts, Loads},
    options::EngineOptions,
    schema::TableSpec,
    signals::FlushSignals,
    store::Store,
    stream::{Publication, Streams},
    tables::Tables,
    takeover::Recovery,
    tasks::cores,
    upkeep::Vacuum,
    wal::{Publisher, Stall},
};

/// Part of the memory limit that a generation takes at most: while one is filled, others are sorted and written.
const GENERATION_PART: usize = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) options: EngineOptions,
    pub(super) tables: Arc<Tables>,
    pub(super) streams: Arc<Streams>,
    pub(super) signals: Arc<FlushSignals>,
    pub(super) admission: Arc<Admission>,
    pub(super) stall: Arc<Stall>,
    pub(super) health: Arc<Health>,
    pub(super) flusher: Arc<Flusher>,
    pub(super) import: ImportParts,
    pub(super) vacuum: Arc<Vacuum>,
}

impl Shared {
    /// Opens every table.
    ///
    /// # Errors
    /// Those of [`Tables::open`].
    pub(super) async fn open(
        store: Store,
        options: EngineOptions,
        clock: &Arc<dyn Clock>,
        tables: Vec<TableSpec>,
    ) -> Result<Self> {
        let generation_bytes_max =
            options.generation_bytes_max.min(options.memory_limit_bytes / GENERATION_PART);
        let options = EngineOptions { generation_bytes_max, ..options };
        let tables = Tables::open(&store, tables, &options, clock).await?;
        let (tables, streams, signals) = (Arc::new(tables), Arc::<Streams>::default(), Arc::default());
        let budget = Budget::new(options.memory_limit_bytes);
        let admission = Arc::new(Admission::new(budget, Arc::clone(&signals), options.append_wait));
        let stall = Arc::<Stall>::default();
        let health = Arc::new(Health::new(store.clone(), Arc::clone(&stall)));
        let flusher = Arc::new(Flusher {
            store: store.clone(),
            tables: Arc::clone(&tables),
            streams: Arc::clone(&streams),
            admission: Arc::clone(&admission),
            signals: Arc::clone(&signals),
            health: Arc::clone(&health),
            portion: Portion {
                rows_max: options.flush_rows_max,
                bytes_max: options.generation_bytes_max,
                concurrency: cores().div_ceil(2),
            },
            interval: options.flush_interval,
        });
        let import = ImportParts {
            store: store.clone(),
            tables: Arc::clone(&tables),
            admission: Arc::clone(&admission),
            normalising: Arc::new(Semaphore::new(cores())),
            loads: Arc::<Loads>::default(),
        };
        let vacuum = Arc::new(Vacuum::new(Arc::clone(&tables), options.vacuum_after));
        Ok(Self {
            store,
            options,
            tables,
            streams,
            signals,
            admission,
            stall,
            health,
            flusher,
            import,
            vacuum,
        })
    }

    pub(super) fn recovery(&self) -> Recovery<'_> {
        Recovery {
            store: &self.store,
            options: &self.options,
            tables: &self.tables,
            streams: &self.streams,
            budget: &self.admission.budget,
            health: &self.health,
            flusher: &self.flusher,
        }
    }

    pub(super) fn publication(&self) -> Arc<dyn Publisher> {
        Arc::new(Publication {
            store: self.store.clone(),
            tables: Arc::clone(&self.tables),
            streams: Arc::clone(&self.streams),
            signals: Arc::clone(&self.signals),
            admission: Arc::clone(&self.admission),
            generation_rows_max: self.options.generation_rows_max,
            generation_bytes_max: self.options.generation_bytes_max,
        })
    }

    pub(super) fn compact_parts(&self) -> CompactParts {
        CompactParts {
            options: self.options.clone(),
            tables: Arc::clone(&self.tables),
            admission: Arc::clone(&self.admission),
        }
    }
}
