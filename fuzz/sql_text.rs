//! Plans what may be a statement, over a table without rows.

use std::{str, sync::Arc};

use hexflight_engine::{Engine, EngineOptions, Store, SystemClock};
use hexflight_planner::{QueryEngine, QueryOptions};
use object_store::memory::InMemory;
use tokio::runtime::Runtime;

/// A planner over an engine in memory.
pub(super) struct Statements {
    queries: QueryEngine,
    runtime: Runtime,
}

impl Statements {
    pub(super) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let queries = runtime.block_on(async {
            let store = Store::new(Arc::new(InMemory::new()));
            let engine = Engine::open(store, EngineOptions::default(), Arc::new(SystemClock)).await.unwrap();
            QueryEngine::new(engine, &QueryOptions { target_partitions: 2, ..QueryOptions::default() })
                .unwrap()
        });
        Self { queries, runtime }
    }

    /// Plans it twice, as clients do: to learn its columns, and to run it. Either works or is refused; nothing panics.
    pub(super) fn plan(&self, bytes: &[u8]) {
        let Ok(sql) = str::from_utf8(bytes) else { return };
        self.runtime.block_on(async {
            let schema = self.queries.schema(sql).await;
            let planned = self.queries.plan_times(sql, vec![]).await;
            for error in [schema.err(), planned.err()].into_iter().flatten() {
                assert!(!error.to_string().contains("panic"), "{sql}: {error}");
            }
        });
    }
}
