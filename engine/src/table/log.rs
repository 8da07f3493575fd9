//! `DeltaLog`: creates, loads and refreshes one table's log. One JSON-lines object per version, put if absent.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{PutPayload, path::Path};
use serde_json::json;
use uuid::Uuid;

use super::{
    TableState,
    action::{
        Action, CommitInfo, Format, MetaData, Protocol, READER_VERSION, WRITER_VERSION, from_json_lines,
        to_json_lines,
    },
};
use crate::{
    clock::Clock,
    error::{EngineError, Result},
    schema::{TableName, TableSpec},
    store::Store,
};

/// Log versions read at once while a table is loaded.
const LOAD_CONCURRENCY: usize = 16;

/// What we write into `commitInfo.engineInfo`.
pub(crate) const ENGINE_INFO: &str = concat!("hexflight/", env!("CARGO_PKG_VERSION"));

/// The log of one table.
#[derive(Debug, Clone)]
pub(crate) struct DeltaLog {
    pub(crate) store: Store,
    pub(crate) spec: Arc<TableSpec>,
    pub(crate) clock: Arc<dyn Clock>,
    root: Path,
}

impl DeltaLog {
    pub(crate) fn new(store: Store, spec: Arc<TableSpec>, clock: Arc<dyn Clock>) -> Self {
        let root = root(spec.name());
        Self { store, spec, clock, root }
    }

    /// Root of the table's files.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Key of a log version.
    pub(crate) fn version_path(&self, version: i64) -> Path {
        self.root.clone().join("_delta_log").join(format!("{version:020}.json"))
    }

    /// Milliseconds since 1970 now.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_micros() / 1_000
    }

    /// Loads the newest state, creating the table first if it is not there.
    ///
    /// # Errors
    /// `Corrupt` when a version is missing or unreadable, or the table was created with other fixed numbers.
    pub(crate) async fn open(&self) -> Result<TableState> {
        let folder = self.root.clone().join("_delta_log");
        self.store.sync_listing(&folder).await?;
        let mut newest = -1;
        for meta in self.store.list(&folder).await? {
            newest = newest.max(version_of(&meta.location).unwrap_or(-1));
        }
        if newest < 0 {
            self.create().await?;
            newest = 0;
        }
        let mut state = TableState::empty();
        let mut versions =
            stream::iter(0..=newest).map(|version| self.read(version)).buffered(LOAD_CONCURRENCY);
        while let Some((version, actions)) = versions.try_next().await? {
            let path = self.version_path(version);
            let actions = actions.ok_or_else(|| EngineError::Corrupt {
                path: path.to_string(),
                detail: format!("version {version} is missing, the newest is {newest}"),
            })?;
            state.apply(self, version, &actions)?;
        }
        Ok(state)
    }

    /// Reads one version; `None` when it is not there yet.
    pub(crate) async fn read(&self, version: i64) -> Result<(i64, Option<Vec<Action>>)> {
        let path = self.version_path(version);
        let Some(bytes) = self.store.get(&path).await? else { return Ok((version, None)) };
        Ok((version, Some(from_json_lines(path.as_ref(), &bytes)?)))
    }

    /// Reads the versions that were put since `state`.
    ///
    /// # Errors
    /// `Corrupt` when one cannot be read, `Unavailable` when the store fails.
    pub(crate) async fn refresh(&self, state: &TableState) -> Result<TableState> {
        let mut state = state.clone();
        while let (version, Some(actions)) = self.read(state.version() + 1).await? {
            state.apply(self, version, &actions)?;
        }
        Ok(state)
    }

    /// Version 0. Whoever loses the race for it loads what the winner wrote.
    async fn create(&self) -> Result<()> {
        let created = self.now_ms();
        let actions = [
            Action { commit_info: Some(self.commit_info("CREATE TABLE", None)), ..Action::default() },
            Action {
                protocol: Some(Protocol {
                    min_reader_version: READER_VERSION,
                    min_writer_version: WRITER_VERSION,
                }),
                ..Action::default()
            },
            Action { meta_data: Some(meta_data(&self.spec, created)), ..Action::default() },
        ];
        self.store.put_if_absent(&self.version_path(0), PutPayload::from(to_json_lines(&actions))).await?;
        Ok(())
    }

    /// The first line of a version.
    pub(crate) fn commit_info(&self, operation: &str, commit_id: Option<Uuid>) -> CommitInfo {
        CommitInfo {
            timestamp: self.now_ms(),
            operation: operation.to_owned(),
            engine_info: ENGINE_INFO.to_owned(),
            commit_id: commit_id.map(|id| id.to_string()),
        }
    }
}

/// Root of a table's files below the root of the store.
pub(crate) fn root(table: &TableName) -> Path {
    Path::from(format!("tables/{table}"))
}

/// What is fixed at a table's creation, as `metaData.configuration`.
pub(crate) fn configuration(spec: &TableSpec) -> BTreeMap<String, String> {
    BTreeMap::from([
        (String::from("hexflight.h3Resolution"), spec.h3_resolution().to_string()),
        (String::from("hexflight.bucketMicros"), spec.bucket_micros().to_string()),
    ])
}

fn meta_data(spec: &TableSpec, created: i64) -> MetaData {
    MetaData {
        id: Uuid::new_v4().to_string(),
        name: Some(spec.name().to_string()),
        format: Format { provider: String::from("parquet"), options: BTreeMap::new() },
        schema_string: schema_string(spec),
        partition_columns: vec![],
        configuration: configuration(spec),
        created_time: Some(created),
    }
}

/// The schema in Delta's JSON.
pub(crate) fn schema_string(spec: &TableSpec) -> String {
    use arrow::datatypes::DataType;
    let fields: Vec<_> = spec
        .query_schema()
        .fields()
        .iter()
        .map(|field| {
            let delta_type = match field.data_type() {
                DataType::Timestamp(..) => "timestamp",
                DataType::Float64 => "double",
                DataType::Int64 => "long",
                _ => "string",
            };
            json!({"name": field.name(), "type": delta_type, "nullable": field.is_nullable(), "metadata": {}})
        })
        .collect();
    json!({"type": "struct", "fields": fields}).to_string()
}

/// The version that a log key names, if it names one.
fn version_of(path: &Path) -> Option<i64> {
    let digits = path.filename()?.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}
