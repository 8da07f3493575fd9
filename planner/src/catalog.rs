//! The catalogs of one query: catalog `hexflight` with schema `public` and the engine's tables. A pinned one resolves every
//! mention of a table to the same provider, hence to the same snapshot.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider},
    datasource::empty::EmptyTable,
    error::{DataFusionError, Result},
};
use hexflight_engine::Engine;

use crate::{
    provider::EventsProvider,
    session::{CATALOG_NAME, SCHEMA_NAME},
};

/// The list that holds the one catalog.
#[derive(Debug)]
pub(crate) struct QueryCatalogs {
    catalog: Arc<QueryCatalog>,
}

impl QueryCatalogs {
    /// Tables with a snapshot each, all taken now.
    ///
    /// # Errors
    /// What the engine says when it has no snapshot to give.
    pub(crate) fn pinned(engine: &Engine) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for spec in engine.tables() {
            let snapshot =
                engine.snapshot(spec.name()).map_err(|error| DataFusionError::External(Box::new(error)))?;
            let provider: Arc<dyn TableProvider> = Arc::new(EventsProvider::new(snapshot));
            tables.insert(spec.name().as_str().to_owned(), provider);
        }
        Ok(Self::of(tables))
    }

    /// Tables that have columns but no rows: enough to plan with, nothing is pinned.
    pub(crate) fn schema_only(engine: &Engine) -> Self {
        let specs = engine.tables();
        Self::of(
            specs
                .iter()
                .map(|spec| {
                    let empty = EmptyTable::new(Arc::clone(spec.query_schema()));
                    (spec.name().as_str().to_owned(), Arc::new(empty) as Arc<dyn TableProvider>)
                })
                .collect(),
        )
    }

    fn of(tables: BTreeMap<String, Arc<dyn TableProvider>>) -> Self {
        let schema = Arc::new(QuerySchema { tables });
        Self { catalog: Arc::new(QueryCatalog { schema }) }
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
    schema: Arc<QuerySchema>,
}

impl CatalogProvider for QueryCatalog {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA_NAME.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == SCHEMA_NAME).then(|| Arc::<QuerySchema>::clone(&self.schema) as _)
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
