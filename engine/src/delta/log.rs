//! `DeltaLog`: creates, loads and refreshes one table's log. One JSON-lines object per version, put if absent.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{PutPayload, path::Path};
use serde_json::json;
use uuid::Uuid;

use super::{
    TableState,
    action::{Action, CommitInfo, Format, MetaData, Protocol, READER_VERSION, WRITER_VERSION},
    names::is_data_file,
    version::{decode, encode},
};
use crate::{
    clock::Clock,
    error::{EngineError, Result},
    schema::TableSpec,
    store::{Store, keys},
};

/// Log versions read at once while a table is loaded.
const LOAD_CONCURRENCY: usize = 16;

/// What we write into `commitInfo.engineInfo`.
pub(crate) const ENGINE_INFO: &str = concat!("hexflight/", env!("CARGO_PKG_VERSION"));
/// What every build writes there begins with this.
pub(crate) const ENGINE_INFO_PREFIX: &str = "hexflight/";

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
        let root = keys::table_root(spec.name());
        Self { store, spec, clock, root }
    }

    /// The same log, with puts that may use the disk space that is kept for flushes.
    pub(crate) fn with_reserve(&self) -> Self {
        Self { store: self.store.with_reserve(), ..self.clone() }
    }

    /// Root of the table's files.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Key of a log version.
    pub(crate) fn version_path(&self, version: i64) -> Path {
        keys::version(&self.root, version)
    }

    fn log_folder(&self) -> Path {
        keys::log_folder(&self.root)
    }

    /// Milliseconds since 1970 now.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_micros() / 1_000
    }

    /// Loads the newest state; `None` when there is no table. Changes nothing.
    ///
    /// `flushed` is an object that could not be there if no row had ever been flushed, if there is one.
    ///
    /// # Errors
    /// `Corrupt` when a version is missing or not what was written, or the table was created with other fixed numbers.
    pub(crate) async fn load(&self, flushed: Option<&Path>) -> Result<Option<TableState>> {
        let folder = self.log_folder();
        // Before the versions are listed: one that is put meanwhile is no loss.
        let mark = self.newest_mark().await?;
        self.store.sync_listing(&folder).await?;
        let listed = self.store.list(&folder).await?;
        let newest = listed.iter().filter_map(|meta| version_number(&folder, &meta.location, ".json")).max();
        self.check_mark(mark, newest.unwrap_or(-1))?;
        let Some(newest) = newest else {
            self.check_new(flushed).await?;
            return Ok(None);
        };
        let mut state = TableState::empty();
        let mut versions =
            stream::iter(0..=newest).map(|version| self.read(version)).buffered(LOAD_CONCURRENCY);
        while let Some((version, actions)) = versions.try_next().await? {
            let path = self.version_path(version);
            let actions = actions.ok_or_else(|| EngineError::Corrupt {
                path: path.to_string(),
                detail: format!(
                    "version {version} is missing, the newest is {newest}; restore it from a backup; nothing was changed or deleted"
                ),
            })?;
            state.apply(self, version, &actions)?;
        }
        Ok(Some(state))
    }

    /// Loads the newest state, creating the table first if it is not there.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) async fn open(&self, flushed: Option<&Path>) -> Result<TableState> {
        loop {
            if let Some(state) = self.load(flushed).await? {
                return Ok(state);
            }
            self.create().await?;
        }
    }

    /// A log without a version is that of a new table only while nothing tells that there was one.
    async fn check_new(&self, flushed: Option<&Path>) -> Result<()> {
        let listed = self.store.list(&self.root).await?;
        let file = listed.iter().map(|meta| &meta.location).find(|path| is_data_file(&self.root, path));
        let Some(proof) = file.or(flushed) else { return Ok(()) };
        Err(EngineError::Corrupt {
            path: self.version_path(0).to_string(),
            detail: format!(
                "the log has no version, but {proof} tells that rows were flushed; restore {} from a backup; nothing was \
                 changed or deleted",
                self.log_folder()
            ),
        })
    }

    /// The newest version that is there; -1 when there is none.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub(crate) async fn newest(&self) -> Result<i64> {
        let folder = self.log_folder();
        let listed = self.store.list(&folder).await?;
        let versions = listed.iter().filter_map(|meta| version_number(&folder, &meta.location, ".json"));
        Ok(versions.max().unwrap_or(-1))
    }

    /// Reads one version; `None` when it is not there yet.
    pub(crate) async fn read(&self, version: i64) -> Result<(i64, Option<Vec<Action>>)> {
        let path = self.version_path(version);
        let Some(bytes) = self.store.get(&path).await? else { return Ok((version, None)) };
        Ok((version, Some(decode(path.as_ref(), &bytes)?)))
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
        let mut actions = [
            Action { commit_info: Some(self.commit_info("CREATE TABLE", None)), ..Action::default() },
            Action {
                protocol: Some(Protocol {
                    min_reader_version: READER_VERSION,
                    min_writer_version: WRITER_VERSION,
                }),
                ..Action::default()
            },
            Action {
                meta_data: Some(meta_data(&self.spec, self.store.ids().random(), created)),
                ..Action::default()
            },
        ];
        self.store.put_if_absent(&self.version_path(0), PutPayload::from(encode(&mut actions))).await?;
        Ok(())
    }

    /// The first line of a version.
    pub(crate) fn commit_info(&self, operation: &str, commit_id: Option<Uuid>) -> CommitInfo {
        CommitInfo {
            timestamp: self.now_ms(),
            operation: operation.to_owned(),
            engine_info: ENGINE_INFO.to_owned(),
            commit_id: commit_id.map(|id| id.to_string()),
            ..CommitInfo::default()
        }
    }
}

/// What is fixed at a table's creation, as `metaData.configuration`.
pub(crate) fn configuration(spec: &TableSpec) -> BTreeMap<String, String> {
    BTreeMap::from([
        (String::from("hexflight.h3Resolution"), spec.h3_resolution().to_string()),
        (String::from("hexflight.bucketMicros"), spec.bucket_micros().to_string()),
    ])
}

fn meta_data(spec: &TableSpec, id: Uuid, created: i64) -> MetaData {
    MetaData {
        id: id.to_string(),
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

/// The version that an object directly in `folder` names, if it names one: 20 digits and `extension`.
pub(super) fn version_number(folder: &Path, path: &Path, extension: &str) -> Option<i64> {
    let name = path.as_ref().strip_prefix(folder.as_ref())?.strip_prefix('/')?;
    let digits = name.strip_suffix(extension)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}
