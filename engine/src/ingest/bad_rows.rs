//! The text of a refusal: column, first bad rows, value found, rule. Used by every check of ingest, only after a cheap
//! pass over the whole column has found that something is wrong.

use arrow::{buffer::NullBuffer, datatypes::DataType};

use crate::error::{EngineError, Result};

/// Row numbers that an error lists.
const ROWS_LISTED_MAX: usize = 3;

/// Characters of a value, a name or a type that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// Refuses the batch if there are bad rows; `describe` says, for the first of them, what was found and which rule it breaks.
pub(super) fn refuse_rows(
    column: &str,
    bad_rows: impl IntoIterator<Item = usize>,
    describe: impl FnOnce(usize) -> String,
) -> Result<()> {
    let mut listed = Vec::new();
    let mut count = 0_usize;
    for row in bad_rows {
        count += 1;
        if listed.len() < ROWS_LISTED_MAX {
            listed.push(row);
        }
    }
    let Some(&first) = listed.first() else { return Ok(()) };
    let numbers = listed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let plural = if count == 1 { "" } else { "s" };
    let more = if count > listed.len() { ", ..." } else { "" };
    let found = describe(first);
    Err(EngineError::InvalidBatch(format!(
        "column '{column}': row {first}: {found} ({count} bad row{plural}: {numbers}{more})"
    )))
}

/// Refuses nulls in a column that must not have any.
pub(super) fn refuse_nulls(column: &str, nulls: Option<&NullBuffer>) -> Result<()> {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return Ok(()) };
    let null_rows = (0..nulls.len()).filter(|row| nulls.is_null(*row));
    refuse_rows(column, null_rows, |_| "null is not allowed".to_owned())
}

/// The error for a column of a type that its rule does not take; `accepted` completes "send …".
pub(super) fn wrong_type(column: &str, found: &DataType, accepted: &str) -> EngineError {
    let found = shortened(&found.to_string());
    EngineError::InvalidBatch(format!("column '{column}': type {found} is not accepted; send {accepted}"))
}

/// A text value for an error: quoted, escaped, shortened.
pub(super) fn quoted(text: &str) -> String {
    let ellipsis = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "..." } else { "" };
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("\"{}\"{ellipsis}", start.escape_debug())
}

/// A name or a type for an error: escaped and shortened.
pub(super) fn shortened(text: &str) -> String {
    let ellipsis = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "..." } else { "" };
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{}{ellipsis}", start.escape_debug())
}
