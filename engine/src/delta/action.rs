//! The actions of the Delta protocol that we write and read, one JSON object per line of a log version.
//!
//! **Source**: Delta Transaction Log Protocol, reader version 1, writer version 2.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::IgnoredAny};

/// Newest protocol that we read and append to: no column mapping, no deletion vectors, no table features.
pub(crate) const READER_VERSION: i32 = 1;
/// See [`READER_VERSION`].
pub(crate) const WRITER_VERSION: i32 = 2;

/// Tag of an Add: the object with the file's rollup, relative to the table's root.
pub(crate) const ROLLUP_TAG: &str = "hexflight.rollup";
/// Tag of an Add: size of that object in bytes.
pub(crate) const ROLLUP_BYTES_TAG: &str = "hexflight.rollupBytes";
/// Tag of an Add: CRC32C of that object's directory, 8 hex digits.
pub(crate) const ROLLUP_DIRECTORY_TAG: &str = "hexflight.rollupDirectoryCrc32c";

/// One line of a log version: one field is set. An action that this list does not name is refused, not skipped: one flipped bit would
/// hide a file otherwise.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Action {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) commit_info: Option<CommitInfo>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) meta_data: Option<MetaData>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) txn: Option<Txn>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) remove: Option<Remove>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) add: Option<Add>,
    /// Actions of other writers that change neither files nor txns.
    #[serde(skip_serializing, default)]
    pub(crate) cdc: Option<IgnoredAny>,
    /// See `cdc`.
    #[serde(skip_serializing, default)]
    pub(crate) domain_metadata: Option<IgnoredAny>,
}

impl Action {
    /// Whether no field is set.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { commit_info, protocol, meta_data, txn, remove, add, cdc, domain_metadata } = self;
        let says_something = commit_info.is_some()
            || protocol.is_some()
            || meta_data.is_some()
            || txn.is_some()
            || remove.is_some()
            || add.is_some()
            || cdc.is_some()
            || domain_metadata.is_some();
        !says_something
    }
}

/// Who committed; `commit_id` is how a committer knows its own version again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommitInfo {
    #[serde(default)]
    pub(crate) timestamp: i64,
    #[serde(default)]
    pub(crate) operation: String,
    #[serde(default)]
    pub(crate) engine_info: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) commit_id: Option<String>,
    /// Lines behind this one, in a version of ours; earlier builds did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) action_count: Option<u64>,
    /// Checksum of the whole version, in a version of ours. The last field: its digits have a fixed place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) crc32c: Option<String>,
}

/// What a reader and a writer must support.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub(crate) min_reader_version: i32,
    pub(crate) min_writer_version: i32,
}

/// Schema and configuration of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetaData {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) name: Option<String>,
    pub(crate) format: Format,
    pub(crate) schema_string: String,
    pub(crate) partition_columns: Vec<String>,
    #[serde(default)]
    pub(crate) configuration: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) created_time: Option<i64>,
}

/// Always Parquet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Format {
    pub(crate) provider: String,
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
}

/// An application's progress: for a stream, the last sequence whose rows are in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub(crate) app_id: String,
    pub(crate) version: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) last_updated: Option<i64>,
}

/// A file joins the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    /// Relative to the table's root, percent-encoded.
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) size: i64,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    /// JSON of `Statistics`, as text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) stats: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) tags: Option<BTreeMap<String, Option<String>>>,
    /// Present only in tables of features that we refuse; kept so that one is never read without it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) deletion_vector: Option<serde_json::Value>,
}

/// A file leaves the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) deletion_timestamp: Option<i64>,
    #[serde(default)]
    pub(crate) data_change: bool,
}
