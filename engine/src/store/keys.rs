//! Keys: where each object of a store lies. `docs/formats.md` draws the same tree; nothing else in the engine makes a key.
//!
//! ```text
//! wal/{stream}/{sequence}.wal                      group commits and fences
//! streams/{stream}.json                            who has begun a stream
//! tables/{table}/_delta_log/{version}.json         versions of a table
//! tables/{table}/{day}/{hour}-{id}.parquet         data files
//! tables/{table}/_rollups/{day}/{hour}-{id}.rollup what their rows add up to
//! quarantine/…                                     what nobody can place, under its key
//! ```

use chrono::DateTime;
use object_store::path::Path;
use uuid::Uuid;

use crate::schema::{Sequence, StreamId, TableName};

/// Folder of the log's objects.
pub(crate) const WAL: &str = "wal";
/// Folder of the registry of streams.
pub(crate) const STREAMS: &str = "streams";
/// Folder of the tables, which other tools read.
pub(crate) const TABLES: &str = "tables";
/// Folder of what nobody can place.
pub(crate) const QUARANTINE: &str = "quarantine";
/// Folder of the scratch files of imports below a local store's root, and below the system's temporary folder for other stores.
pub(crate) const SCRATCH: &str = "import-scratch";
/// Folder below a table's root that other tools' clean-up leaves alone.
const ROLLUPS: &str = "_rollups";

/// Key of a WAL object.
pub(crate) fn wal_object(stream: StreamId, sequence: Sequence) -> Path {
    Path::from(format!("{WAL}/{stream}/{sequence:020}.wal", sequence = sequence.0))
}

/// The stream and the sequence of a WAL object's key; `None` for a key that is not one.
pub(crate) fn parse_wal_object(path: &Path) -> Option<(StreamId, Sequence)> {
    let (stream, name) = path.as_ref().strip_prefix(WAL)?.strip_prefix('/')?.split_once('/')?;
    let (stream, digits) = (StreamId::parse(stream)?, name.strip_suffix(".wal")?);
    let sequence = Sequence(digits.parse().ok()?);
    (*path == wal_object(stream, sequence)).then_some((stream, sequence))
}

/// Folder of a stream's WAL objects.
pub(crate) fn wal_folder(stream: StreamId) -> Path {
    Path::from(format!("{WAL}/{stream}"))
}

/// Where the registry's entry of a stream is, or would be.
pub(crate) fn stream_entry(stream: StreamId) -> Path {
    Path::from(format!("{STREAMS}/{stream}.json"))
}

/// The stream of an entry's key; `None` for a key that is not one.
pub(crate) fn parse_stream_entry(path: &Path) -> Option<StreamId> {
    let name = path.as_ref().strip_prefix(STREAMS)?.strip_prefix('/')?;
    let stream = StreamId::parse(name.strip_suffix(".json")?)?;
    (*path == stream_entry(stream)).then_some(stream)
}

/// Root of a table's files below the root of the store.
pub(crate) fn table_root(table: &TableName) -> Path {
    Path::from(format!("{TABLES}/{table}"))
}

/// Folder of a table's log.
pub(crate) fn log_folder(table_root: &Path) -> Path {
    table_root.clone().join("_delta_log")
}

/// Key of a version of a table's log.
pub(crate) fn version(table_root: &Path, version: i64) -> Path {
    log_folder(table_root).join(format!("{version:020}.json"))
}

/// `{table_root}/{day}/{hour}-{id}.parquet` of the first row's time: never reused, and readable for a person.
pub(crate) fn data_file(table_root: &Path, first_micros: i64, id: Uuid) -> Path {
    let time = DateTime::from_timestamp_micros(first_micros).unwrap_or_default();
    let (day, hour) = (time.format("%Y-%m-%d"), time.format("%H"));
    Path::from(format!("{table_root}/{day}/{hour}-{}.parquet", id.hyphenated()))
}

/// Where the rollup of a data file lies, if it has one.
pub(crate) fn rollup_of(table_root: &Path, file: &Path) -> Option<Path> {
    let relative = file.as_ref().strip_prefix(table_root.as_ref())?.strip_prefix('/')?;
    let name = relative.strip_suffix(".parquet")?;
    Path::parse(format!("{table_root}/{ROLLUPS}/{name}.rollup")).ok()
}

/// The data file of a rollup; `None` for an object that is no rollup.
pub(crate) fn file_of_rollup(table_root: &Path, rollup: &Path) -> Option<Path> {
    let relative = rollup.as_ref().strip_prefix(table_root.as_ref())?.strip_prefix('/')?;
    let name = relative.strip_prefix(ROLLUPS)?.strip_prefix('/')?.strip_suffix(".rollup")?;
    Path::parse(format!("{table_root}/{name}.parquet")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_ours_are_wal_objects() {
        let stream = StreamId::generate();
        let own = wal_object(stream, Sequence(7));
        assert_eq!(parse_wal_object(&own), Some((stream, Sequence(7))));
        let upper = own.as_ref().to_uppercase().replace("WAL", "wal");
        let others = [
            upper,
            format!("{own}.bak"),
            format!("wal/{stream}/7.wal"),
            format!("wal/{stream}/sub/{:020}.wal", 7),
        ];
        for other in others.iter().map(String::as_str).chain(["wal/readme", "wal/x/00000000000000000007.wal"])
        {
            assert_eq!(parse_wal_object(&Path::from(other)), None, "{other}");
        }
    }
}
