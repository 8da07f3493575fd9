//! The bytes of one log version: [`encode`] writes them, [`decode`] checks them. Pure; the store is elsewhere.
//!
//! ```text
//! {"commitInfo":{…,"actionCount":2,"crc32c":"1b2c3d4e"}}\n    actionCount: lines that follow
//! {"txn":…}\n                                                crc32c: CRC32C of the object with these eight digits as zeros
//! {"add":…}\n
//! ```
//!
//! A version of another writer, or of an earlier build, says nothing of the kind and is checked as far as it can be.

use std::ops::Range;

use super::action::{Action, CommitInfo};
use crate::{
    error::{EngineError, Result},
    schema::StreamId,
};

/// What stands in the place of the checksum while it is computed.
const NO_CRC: &str = "00000000";
/// What follows the checksum on its line.
const AFTER_CRC: &str = "\"}}\n";
/// How `engineInfo` of every build of ours begins.
pub(super) const ENGINE_NAME: &str = "hexflight/";
/// What to do about a version that is not what was written.
const ADVICE: &str = "restore this object from a backup; nothing was changed or deleted";

/// Writes actions, of which the first is the `commitInfo`, as a log version, and tells that one what it now says.
pub(super) fn encode(actions: &mut [Action]) -> Vec<u8> {
    let action_count = actions.len().saturating_sub(1) as u64;
    let mut lines = vec![];
    let mut digits = 0..0;
    for (index, action) in actions.iter_mut().enumerate() {
        if index == 0 {
            let info = action.commit_info.take().unwrap_or_default();
            action.commit_info = Some(CommitInfo {
                action_count: Some(action_count),
                crc32c: Some(NO_CRC.to_owned()),
                ..info
            });
        }
        push_line(&mut lines, action);
        if index == 0 {
            digits = crc_digits(lines.len());
        }
    }
    let crc = crc_text(&lines);
    lines[digits].copy_from_slice(crc.as_bytes());
    if let Some(info) = actions.first_mut().and_then(|first| first.commit_info.as_mut()) {
        info.crc32c = Some(crc);
    }
    lines
}

fn push_line(lines: &mut Vec<u8>, action: &Action) {
    serde_json::to_writer(&mut *lines, action).expect("an action has a JSON form");
    lines.push(b'\n');
}

/// Where the digits of the checksum lie, given the length of the first line.
fn crc_digits(first_line: usize) -> Range<usize> {
    let end = first_line.saturating_sub(AFTER_CRC.len());
    end.saturating_sub(NO_CRC.len())..end
}

fn crc_text(lines: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c(lines))
}

/// Reads a log version. `path` only names it in errors.
///
/// # Errors
/// `Corrupt` naming the line that is not an action, or what does not agree with the version's own count and checksum.
pub(super) fn decode(path: &str, bytes: &[u8]) -> Result<Vec<Action>> {
    read(bytes)
        .map_err(|fault| EngineError::Corrupt { path: path.to_owned(), detail: format!("{fault}; {ADVICE}") })
}

fn read(bytes: &[u8]) -> std::result::Result<Vec<Action>, String> {
    let mut actions = vec![];
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let action: Action =
            serde_json::from_slice(line).map_err(|error| format!("line {}: {error}", index + 1))?;
        if action.is_empty() {
            return Err(format!("line {}: there is no action", index + 1));
        }
        actions.push(action);
    }
    if actions.is_empty() {
        return Err(format!("{} bytes without an action", bytes.len()));
    }
    let sealed = |info: &CommitInfo| info.action_count.is_some() || info.crc32c.is_some();
    match actions.iter().enumerate().find_map(|(line, action)| Some((line, action.commit_info.as_ref()?))) {
        Some((0, info)) if sealed(info) => check_seal(bytes, info, actions.len() - 1)?,
        Some((_, info)) if sealed(info) => return Err(String::from("commitInfo is not the first line")),
        Some((line, info)) if info.engine_info.starts_with(ENGINE_NAME) => {
            check_unsealed(bytes, line, info, &actions)?;
        }
        _ => check_foreign(&actions)?,
    }
    Ok(actions)
}

/// Other writers never say how far our streams and loads are: a version that does has lost the line that says it is ours.
fn check_foreign(actions: &[Action]) -> std::result::Result<(), String> {
    let is_ours = |app: &str| {
        StreamId::parse(app).is_some() || app.starts_with("import:") || app.starts_with("rewrite:")
    };
    match actions.iter().find_map(|action| action.txn.as_ref().filter(|txn| is_ours(&txn.app_id))) {
        Some(txn) => Err(format!("txn of {} without the commitInfo that is written with it", txn.app_id)),
        None => Ok(()),
    }
}

/// When a version was written by an earlier build of ours, which did not seal it. **Units**: ms since 1970.
pub(super) fn unsealed_ms(actions: &[Action]) -> Option<i64> {
    let info = actions.iter().find_map(|action| action.commit_info.as_ref())?;
    (info.engine_info.starts_with(ENGINE_NAME) && info.action_count.is_none()).then_some(info.timestamp)
}

/// A version of ours says how many actions it has and what its bytes add up to.
fn check_seal(bytes: &[u8], info: &CommitInfo, found: usize) -> std::result::Result<(), String> {
    let (Some(count), Some(stored)) = (info.action_count, &info.crc32c) else {
        return Err(String::from("commitInfo has one of actionCount and crc32c without the other"));
    };
    if count != found as u64 {
        return Err(format!("commitInfo says {count} actions, found {found}"));
    }
    let first_line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let digits = crc_digits(first_line);
    let mut zeroed = bytes.to_vec();
    zeroed[digits.clone()].fill(b'0');
    let computed = crc_text(&zeroed);
    if *stored != computed || bytes[digits] != *computed.as_bytes() {
        return Err(format!("checksum mismatch: stored {stored}, computed {computed}"));
    }
    Ok(())
}

/// A version of an earlier build has no checksum; what such a version always had must be there all the same.
fn check_unsealed(
    bytes: &[u8],
    line: usize,
    info: &CommitInfo,
    actions: &[Action],
) -> std::result::Result<(), String> {
    let count = |has: fn(&Action) -> bool| actions.iter().filter(|action| has(action)).count();
    let (adds, txns) = (count(|action| action.add.is_some()), count(|action| action.txn.is_some()));
    let is_whole = match info.operation.as_str() {
        // A flush has rows; only a load may have had none.
        "WRITE" => adds > 0 || (txns > 0 && count(is_of_stream) == 0),
        "OPTIMIZE" => adds > 0 && txns > 0 && count(|action| action.remove.is_some()) > 0,
        "CREATE TABLE" => {
            count(|action| action.protocol.is_some()) == 1 && count(|action| action.meta_data.is_some()) == 1
        }
        _ => true,
    };
    if line != 0 || !bytes.ends_with(b"\n") || !is_whole {
        return Err(format!(
            "a {} of {} with {txns} txns and {adds} adds that is not whole",
            info.operation, info.engine_info
        ));
    }
    Ok(())
}

fn is_of_stream(action: &Action) -> bool {
    action.txn.as_ref().is_some_and(|txn| StreamId::parse(&txn.app_id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::action::{Add, Txn};

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        let good = version();
        assert_eq!(decode("x", &good).unwrap().len(), 4);
        for at in 0..good.len() {
            assert!(decode("x", &good[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(decode("x", &bad).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn zeros_extra_lines_and_lines_in_another_order_are_found() {
        let good = version();
        let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
        let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
        let last_first = [lines[3], lines[0], lines[1], lines[2]].concat();
        let longer = [good.as_slice(), b"\n"].concat();
        let twice = [good.as_slice(), lines[3]].concat();
        for bad in [vec![], vec![0; good.len()], b"\n\n".to_vec(), swapped, last_first, longer, twice] {
            let error = decode("log/7.json", &bad).unwrap_err().to_string();
            assert!(error.starts_with("log/7.json: ") && error.contains("backup"), "{error}");
        }
    }

    #[test]
    fn versions_without_a_checksum_are_taken_when_they_can_be_whole() {
        let earlier = r#"{"commitInfo":{"timestamp":1,"operation":"WRITE","engineInfo":"hexflight/0.1.0","commitId":"a"}}"#;
        let other = r#"{"commitInfo":{"operation":"WRITE","engineInfo":"Apache-Spark/4.0"}}"#;
        let txn = r#"{"txn":{"appId":"a","version":1}}"#;
        for good in
            [format!("{earlier}\n{txn}\n"), format!("{txn}\n{other}"), other.to_owned(), txn.to_owned()]
        {
            decode("x", good.as_bytes()).unwrap();
        }
        let flush = txn.replace("\"a\"", "\"01a2011b-8e60-7522-ae14-6f5f2c17ae03\"");
        let misspelt = txn.replace("txn", "uxn");
        let bad = [
            format!("{earlier}\n{flush}\n"),
            format!("{earlier}\n"),
            format!("{earlier}\n{txn}"),
            format!("{txn}\n{earlier}\n"),
            misspelt,
        ];
        for bad in bad.iter().map(String::as_str).chain(["", "\n \n", "{}", "[]", "1", "{\"add\":null}"]) {
            assert!(decode("x", bad.as_bytes()).is_err(), "{bad}");
        }
    }

    fn version() -> Vec<u8> {
        let info = CommitInfo {
            timestamp: 1,
            operation: String::from("WRITE"),
            engine_info: String::from("hexflight/0.1.0"),
            commit_id: Some(String::from("933bea62-a63c-48ff-945e-99a825630d0e")),
            ..CommitInfo::default()
        };
        let txn = Txn { app_id: String::from("stream"), version: 3, last_updated: None };
        let add = |path: &str| Add {
            path: path.to_owned(),
            partition_values: std::collections::BTreeMap::new(),
            size: 4_013,
            modification_time: 1,
            data_change: true,
            stats: Some(String::from(r#"{"numRecords":200}"#)),
            tags: None,
            deletion_vector: None,
        };
        encode(&mut [
            Action { commit_info: Some(info), ..Action::default() },
            Action { txn: Some(txn), ..Action::default() },
            Action { add: Some(add("a.parquet")), ..Action::default() },
            Action { add: Some(add("b.parquet")), ..Action::default() },
        ])
    }
}
