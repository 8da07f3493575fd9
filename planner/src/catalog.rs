//! The catalog `hexflight` as statements are planned with it: schema `public` with the engine's tables, which have columns and no
//! rows, and schema `system`. Before a plan runs, [`pin`] puts one snapshot of each table in the place of all its mentions.

use std::{collections::BTreeMap, sync::Arc};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, Session, TableProvider},
    common::{internal_err, tree_node::Transformed},
    datasource::{TableType, provider_as_source, source_as_provider},
    error::{DataFusionError, Result},
    logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableScan, TableSource},
    physical_plan::ExecutionPlan,
};
use hexflight_engine::{Engine, TableName, TableSpec};

use crate::{
    provider::EventsProvider,
    system::{QUERIES_TABLE, QueriesTable, SYSTEM_SCHEMA_NAME},
    watch::{Asker, QueryLog},
};

/// Name of the one catalog.
pub const CATALOG_NAME: &str = "hexflight";

/// Name of the schema that holds the tables.
pub const SCHEMA_NAME: &str = "public";

/// The list that holds the one catalog.
#[derive(Debug)]
pub(crate) struct QueryCatalogs {
    catalog: Arc<QueryCatalog>,
}

impl QueryCatalogs {
    /// Every table of the engine and the log of queries. Holds no snapshot.
    pub(crate) fn unpinned(engine: &Engine, log: &Arc<QueryLog>) -> Self {
        let events = engine.tables().into_iter().map(|spec| {
            let name = spec.name().as_str().to_owned();
            (name, Arc::new(UnpinnedTable { spec }) as Arc<dyn TableProvider>)
        });
        let queries: Arc<dyn TableProvider> = Arc::new(QueriesTable::new(Arc::clone(log)));
        let public = QuerySchema { tables: events.collect() };
        let system = QuerySchema { tables: BTreeMap::from([(QUERIES_TABLE.to_owned(), queries)]) };
        let schemas =
            BTreeMap::from([(SCHEMA_NAME, Arc::new(public)), (SYSTEM_SCHEMA_NAME, Arc::new(system))]);
        Self { catalog: Arc::new(QueryCatalog { schemas }) }
    }
}

/// Puts a snapshot, taken now, in the place of each table. Every mention of a table in the plan sees the same one. What the process tells
/// of itself is told as far as it is the asker's business.
///
/// # Errors
/// What the engine says when it has no snapshot to give.
pub(crate) fn pin(plan: LogicalPlan, engine: &Engine, asker: &Asker) -> Result<LogicalPlan> {
    let mut pinned: BTreeMap<TableName, Arc<dyn TableSource>> = BTreeMap::new();
    let plan = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        if let Some(own) = queries_of(&scan, asker) {
            scan.source = own;
            return Ok(Transformed::yes(LogicalPlan::TableScan(scan)));
        }
        let Some(name) = unpinned_name(&scan) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        scan.source = match pinned.get(&name) {
            Some(source) => Arc::clone(source),
            None => {
                let source = pinned_source(engine, &name)?;
                pinned.insert(name, Arc::clone(&source));
                source
            }
        };
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    });
    plan.map(|plan| plan.data)
}

/// The log of queries, as the asker may see it, if a scan reads it.
fn queries_of(scan: &TableScan, asker: &Asker) -> Option<Arc<dyn TableSource>> {
    let provider = source_as_provider(&scan.source).ok()?;
    let table = provider.downcast_ref::<QueriesTable>()?;
    Some(provider_as_source(Arc::new(table.seen_by(asker))))
}

/// Which of the engine's tables a scan reads that is not pinned.
pub(crate) fn unpinned_name(scan: &TableScan) -> Option<TableName> {
    let provider = source_as_provider(&scan.source).ok()?;
    provider.downcast_ref::<UnpinnedTable>().map(|table| table.spec.name().clone())
}

fn pinned_source(engine: &Engine, name: &TableName) -> Result<Arc<dyn TableSource>> {
    let snapshot = engine.snapshot(name).map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(provider_as_source(Arc::new(EventsProvider::new(snapshot))))
}

/// A table of the engine without its rows; to the optimizer it is like the pinned one.
#[derive(Debug)]
struct UnpinnedTable {
    spec: Arc<TableSpec>,
}

#[async_trait]
impl TableProvider for UnpinnedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.spec.query_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(EventsProvider::filters_pushdown(filters))
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("table {} is scanned without a snapshot", self.spec.name())
    }
}

impl CatalogProviderList for QueryCatalogs {
    /// There is one catalog, and it stays.
    fn register_catalog(
        &self,
        _name: String,
        _catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG_NAME.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG_NAME).then(|| Arc::<QueryCatalog>::clone(&self.catalog) as _)
    }
}

#[derive(Debug)]
struct QueryCatalog {
    schemas: BTreeMap<&'static str, Arc<QuerySchema>>,
}

impl CatalogProvider for QueryCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.schemas.keys().map(|name| (*name).to_owned()).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.schemas.get(name).map(|schema| Arc::<QuerySchema>::clone(schema) as _)
    }
}

#[derive(Debug)]
struct QuerySchema {
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
}

#[async_trait]
impl SchemaProvider for QuerySchema {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).cloned())
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}
