//! Checks one data file against all that is said of it: its size, its checksums, its statistics in the log, its rollup.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    delta::{ColumnRange, DataFile, ScalarBound, extend_ranges},
    error::{EngineError, ErrorKind, Result},
    rollup::RollupCheck,
    schema::TableSpec,
    segment::Reader,
    store::Store,
    tasks::blocking,
};

/// What a check of one file found.
#[derive(Debug, Default)]
pub struct FileCheck {
    /// Whether it was written with checksums; files of earlier builds were not, until a merge writes their rows anew.
    pub has_checksums: bool,
    /// Rows that were read.
    pub rows: u64,
    /// What is wrong, each naming its object; empty: all is as it was written.
    pub damage: Vec<EngineError>,
}

/// Reads a file of a table and its rollup whole, and compares them with each other and with what the log says. Changes nothing. Needs
/// memory for the bytes of the file and a few batches.
///
/// # Errors
/// `Unavailable` when the store fails. What is wrong with the file is not an error but the result.
pub async fn check_file(store: &Store, spec: &TableSpec, file: &Arc<DataFile>) -> Result<FileCheck> {
    let mut check = FileCheck { has_checksums: file.checksums.is_some(), ..FileCheck::default() };
    if check.has_checksums && file.stored_checksums(store).await?.is_none() {
        check.found(match &file.rollup {
            Some(rollup) => {
                corrupt(rollup.location.as_ref(), "the checksums of its file are lost or damaged")
            }
            None => corrupt(file.location.as_ref(), "its checksums in the log are damaged"),
        });
    }
    let rollup = check.note(RollupCheck::read(store, file).await)?.flatten();
    let Some(bytes) = check.note(file.bytes(store).await)? else { return Ok(check) };
    let path = file.location.to_string();
    let Some(reader) = check.note(Reader::open(&path, spec.query_schema(), bytes))? else { return Ok(check) };
    let said = Arc::clone(file);
    let read = blocking("check", move || read_rows(&said, reader, rollup)).await;
    if let Some((rows, damage)) = check.note(read)? {
        check.rows = rows;
        check.damage.extend(damage);
    }
    Ok(check)
}

impl FileCheck {
    fn found(&mut self, damage: EngineError) {
        self.damage.push(damage);
    }

    /// Takes damage out of a result.
    fn note<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.found(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Decodes all rows. Returns how many there are, and in what they are not as was said.
fn read_rows(
    file: &DataFile,
    reader: Reader,
    mut rollup: Option<RollupCheck>,
) -> Result<(u64, Vec<EngineError>)> {
    let mut rows = 0;
    let mut columns = BTreeMap::new();
    for batch in reader.batches()? {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        extend_ranges(&mut columns, &batch);
        if let Some(rollup) = &mut rollup {
            rollup.push(&batch);
        }
    }
    let path = file.location.as_ref();
    let mut damage = vec![];
    if let Some(said) = file.row_count.filter(|said| *said != rows) {
        damage.push(corrupt(path, format!("the log says {said} rows, found {rows}")));
    }
    let outside = columns.iter().filter_map(|(name, found)| {
        let said = file.columns.get(name)?;
        (!holds(said, found))
            .then(|| corrupt(path, format!("column {name}: the log says {said:?}, its rows are {found:?}")))
    });
    damage.extend(outside);
    damage.extend(rollup.and_then(RollupCheck::finish).map(|difference| corrupt(path, difference)));
    Ok((rows, damage))
}

/// Whether all that rows range over lies within what was said. What is not said is not wrong.
fn holds(said: &ColumnRange, found: &ColumnRange) -> bool {
    let is_below = |a: &Option<ScalarBound>, b: &Option<ScalarBound>| {
        a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a.is_below(b))
    };
    let nulls_differ = said.null_count.zip(found.null_count).is_some_and(|(said, found)| said != found);
    !is_below(&found.min, &said.min) && !is_below(&said.max, &found.max) && !nulls_differ
}

fn corrupt(path: &str, detail: impl Into<String>) -> EngineError {
    EngineError::Corrupt { path: path.to_owned(), detail: detail.into() }
}
