//! The Parquet part of a scan: DataFusion's own `ParquetSource` over the kept files, with our projection and predicate. It
//! prunes row groups and pages, filters while decoding, and takes footers from the session's cache. Nothing is listed.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use datafusion::{
    common::{ScalarValue, Statistics, config::TableParquetOptions, internal_err, stats::Precision},
    datasource::{
        listing::PartitionedFile,
        physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource},
        source::DataSourceExec,
    },
    error::Result,
    execution::object_store::ObjectStoreUrl,
    physical_expr::{PhysicalExpr, split_conjunction},
    physical_plan::{ExecutionPlan, filter_pushdown::PushedDown},
};
use hexflight_engine::{DataFile, TableName, TableRole};
use object_store::ObjectMeta;

use super::context::STORE_URL;
use super::{ScanContext, file_reader::ScanFiles};
use crate::guard::surest_first;

/// What to read of which files.
pub(super) struct FilesRequest<'a> {
    pub(super) table: &'a TableName,
    pub(super) schema: &'a SchemaRef,
    pub(super) files: &'a [Arc<DataFile>],
    pub(super) projection: &'a [usize],
    pub(super) predicate: Option<&'a Arc<dyn PhysicalExpr>>,
    pub(super) limit: Option<usize>,
    pub(super) partitions: usize,
}

/// Plans the reading of at least one file, in at most the partitions asked for.
///
/// # Errors
/// `Internal` should the Parquet reader not take a part of the predicate: rows would come through unfiltered.
pub(super) fn plan_files(
    request: &FilesRequest<'_>,
    context: &ScanContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    let url = ObjectStoreUrl::parse(STORE_URL)?;
    let ordered = request.predicate.map(|predicate| surest_first(predicate, request.schema)).transpose()?;
    let (conjuncts, any_order) = match (ordered.flatten(), request.predicate) {
        (Some(ordered), _) => (ordered, false),
        (None, Some(predicate)) => (split_conjunction(predicate).into_iter().map(Arc::clone).collect(), true),
        (None, None) => (vec![], true),
    };
    let source = filtered(parquet_source(request, any_order, context)?, conjuncts, context)?;
    let files = request.files.iter().map(partitioned_file).collect();
    let config = FileScanConfigBuilder::new(url, source)
        .with_file_group(FileGroup::new(files))
        .with_projection_indices(Some(request.projection.to_vec()))?
        .with_limit(request.limit)
        .build();
    let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
    Ok(scan.repartitioned(request.partitions, &context.options)?.unwrap_or(scan))
}

fn parquet_source(
    request: &FilesRequest<'_>,
    any_order: bool,
    context: &ScanContext,
) -> Result<Arc<dyn FileSource>> {
    let footers = context.env.cache_manager.get_file_metadata_cache();
    let memory = Arc::clone(&context.decode_memory);
    let reader = ScanFiles::new(context.files(request.table)?.clone(), footers, memory);
    let mut options = TableParquetOptions {
        global: context.options.execution.parquet.clone(),
        ..TableParquetOptions::default()
    };
    options.global.reorder_filters &= any_order;
    let source = ParquetSource::new(Arc::clone(request.schema))
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(reader));
    Ok(Arc::new(source))
}

/// The scan promises that every filter is applied exactly, so each conjunct must be accepted as one that is.
fn filtered(
    source: Arc<dyn FileSource>,
    conjuncts: Vec<Arc<dyn PhysicalExpr>>,
    context: &ScanContext,
) -> Result<Arc<dyn FileSource>> {
    if conjuncts.is_empty() {
        return Ok(source);
    }
    let pushed = source.try_pushdown_filters(conjuncts, &context.options)?;
    if pushed.filters.iter().any(|taken| matches!(taken, PushedDown::No)) {
        return internal_err!("the Parquet reader did not take all of the predicate");
    }
    Ok(pushed.updated_node.unwrap_or(source))
}

fn partitioned_file(file: &Arc<DataFile>) -> PartitionedFile {
    PartitionedFile::new_from_meta(ObjectMeta {
        location: file.location.clone(),
        last_modified: DateTime::from_timestamp_millis(file.modified_ms).unwrap_or_default(),
        size: file.size_bytes,
        e_tag: None,
        version: None,
    })
    .with_extension(Arc::clone(file))
}

/// The same reading, of files that say of their times what the log does: a top-k that has found newer rows skips them by it. Statistics are
/// some KiB a file, since they have all columns: only who can use them has them.
pub(super) fn with_times(scan: &Arc<dyn ExecutionPlan>, schema: &SchemaRef) -> Arc<dyn ExecutionPlan> {
    let source = scan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    let Some(config) = source.and_then(|source| source.downcast_ref::<FileScanConfig>()) else {
        return Arc::clone(scan);
    };
    let groups = config.file_groups.iter().map(|group| {
        let files = group.files().iter().cloned().map(|file| with_times_of_file(file, schema));
        FileGroup::new(files.collect())
    });
    let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(groups.collect()).build();
    DataSourceExec::from_data_source(config)
}

fn with_times_of_file(file: PartitionedFile, schema: &SchemaRef) -> PartitionedFile {
    match file.extension::<Arc<DataFile>>().and_then(|known| times(schema, known)) {
        Some(statistics) => file.with_statistics(Arc::new(statistics)),
        None => file,
    }
}

/// Bounds rather than exact values, which only the pruning of this file ever sees.
fn times(schema: &SchemaRef, file: &DataFile) -> Option<Statistics> {
    let (from, to) = file.time()?;
    let (index, _) = schema.column_with_name(TableRole::Time.name())?;
    let bound =
        |micros| Precision::Exact(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
    let mut statistics = Statistics::new_unknown(schema);
    let times = statistics.column_statistics.get_mut(index)?;
    (times.min_value, times.max_value) = (bound(from), bound(to));
    Some(statistics)
}
