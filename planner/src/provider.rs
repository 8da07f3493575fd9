//! `EventsProvider`: one snapshot of a table as DataFusion sees it. Every filter it is offered is applied by its scan, exactly.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::DFSchema,
    datasource::TableType,
    error::Result,
    logical_expr::{
        Expr, TableProviderFilterPushDown, physical_planning_context::PhysicalPlanningContext,
        utils::conjunction,
    },
    physical_expr::create_physical_expr,
    physical_plan::{ExecutionPlan, PhysicalExpr},
};
use hexflight_engine::Snapshot;

use crate::{
    geo::with_bounds,
    scan::{ScanContext, ScanRequest, SegmentScanExec},
};

/// A table at one snapshot.
#[derive(Debug)]
pub struct EventsProvider {
    snapshot: Arc<Snapshot>,
}

impl EventsProvider {
    /// Serves every scan from `snapshot`.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot }
    }

    /// The optimizer keeps volatile filters and subqueries above the scan; what arrives here is a function of one row.
    pub(crate) fn filters_pushdown(filters: &[&Expr]) -> Vec<TableProviderFilterPushDown> {
        vec![TableProviderFilterPushDown::Exact; filters.len()]
    }

    /// The optimizer has coerced and simplified the filters; what is left is to bind their columns, and to
    /// say of circles what statistics can answer.
    fn predicate(&self, state: &dyn Session, filters: &[Expr]) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(None) };
        let schema = DFSchema::try_from(Arc::clone(self.snapshot.spec().query_schema()))?;
        let context = PhysicalPlanningContext::default();
        let filter = create_physical_expr(&filter, &schema, state.execution_props(), &context)?;
        with_bounds(filter, schema.as_arrow()).map(Some)
    }
}

#[async_trait]
impl TableProvider for EventsProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.snapshot.spec().query_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(Self::filters_pushdown(filters))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let request = ScanRequest {
            projection: projection.cloned(),
            predicate: self.predicate(state, filters)?,
            limit,
        };
        Ok(Arc::new(SegmentScanExec::plan(Arc::clone(&self.snapshot), request, ScanContext::of(state))?))
    }
}
