//! `system.queries`: the statements that run or ran lately, one row each, oldest first; of who may not see all, the asker's own.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider, memory::MemorySourceConfig},
    datasource::TableType,
    error::Result,
    logical_expr::Expr,
    physical_plan::ExecutionPlan,
};

use super::scan_columns::scan_columns;
use crate::watch::{Asker, LoggedQuery, QueryLog};

/// Name of the table.
pub(crate) const QUERIES_TABLE: &str = "queries";

/// The columns before those of [`scan_columns`].
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let started = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("query_id", DataType::Int64, false),
        Field::new("sql", DataType::Utf8View, false),
        Field::new("user", DataType::Utf8View, true),
        Field::new("state", DataType::Utf8View, false),
        Field::new("started_at", started, false),
        Field::new("planning_ms", DataType::Float64, true),
        Field::new("duration_ms", DataType::Float64, false),
        Field::new("rows_returned", DataType::Int64, false),
        Field::new("memory_bytes", DataType::Int64, false),
        Field::new("memory_peak_bytes", DataType::Int64, false),
        Field::new("spilled_bytes", DataType::Int64, false),
        Field::new("error", DataType::Utf8View, true),
    ];
    fields.extend(scan_columns().into_iter().map(|column| Field::new(column.name, DataType::Int64, false)));
    Arc::new(Schema::new(fields))
});

/// The log of queries as a table. Reads it when it is scanned.
#[derive(Debug)]
pub(crate) struct QueriesTable {
    log: Arc<QueryLog>,
    asker: Asker,
}

impl QueriesTable {
    pub(crate) fn new(log: Arc<QueryLog>) -> Self {
        // Nobody in particular: whoever scans it before it is told who asks sees nothing.
        Self { log, asker: Asker { user: None, sees_all: false } }
    }

    /// The same table with what an asker may see.
    pub(crate) fn seen_by(&self, asker: &Asker) -> Self {
        Self { log: Arc::clone(&self.log), asker: asker.clone() }
    }
}

#[async_trait]
impl TableProvider for QueriesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut entries = self.log.entries();
        entries.retain(|query| self.asker.sees(query.user.as_ref()));
        let rows = rows(&entries)?;
        let scan: Arc<dyn ExecutionPlan> =
            MemorySourceConfig::try_new_exec(&[vec![rows]], self.schema(), projection.cloned())?;
        Ok(scan)
    }
}

fn rows(queries: &[Arc<LoggedQuery>]) -> Result<RecordBatch> {
    let reports: Vec<_> = queries.iter().map(|query| query.report()).collect();
    let started = queries.iter().map(|query| Some(query.started_micros));
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(queries.iter().map(|query| Some(whole(query.id))).collect::<Int64Array>()),
        Arc::new(queries.iter().map(|query| Some(query.sql.as_ref())).collect::<StringViewArray>()),
        Arc::new(queries.iter().map(|query| query.user.as_deref()).collect::<StringViewArray>()),
        Arc::new(queries.iter().map(|query| Some(query.state())).collect::<StringViewArray>()),
        Arc::new(started.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Arc::new(queries.iter().map(|query| query.planning().map(millis)).collect::<Float64Array>()),
        Arc::new(reports.iter().map(|report| Some(millis(report.elapsed))).collect::<Float64Array>()),
        Arc::new(queries.iter().map(|query| Some(whole(query.rows()))).collect::<Int64Array>()),
        Arc::new(queries.iter().map(|query| Some(whole_size(query.memory().used()))).collect::<Int64Array>()),
        Arc::new(queries.iter().map(|query| Some(whole_size(query.memory().peak()))).collect::<Int64Array>()),
        Arc::new(reports.iter().map(|report| Some(whole(report.spilled_bytes))).collect::<Int64Array>()),
        Arc::new(queries.iter().map(|query| query.error()).collect::<StringViewArray>()),
    ];
    for column in scan_columns() {
        let counts = reports.iter().map(|report| Some(whole((column.value)(&report.scanned))));
        columns.push(Arc::new(counts.collect::<Int64Array>()));
    }
    Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
}

fn whole_size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
