//! The text of a refusal: column, first bad rows, value found, rule. Used by every check of ingest, only after a cheap
//! pass over the whole column has found that something is wrong.

use arrow::{buffer::NullBuffer, datatypes::DataType};

use crate::error::{BadRow, BadRows, EngineError, Result};

/// Bad rows that a refusal describes; the rest is only counted. It bounds the memory of a batch of nothing but bad rows.
const DESCRIBED_MAX: usize = 8_192;

/// Characters of a value, a name or a type that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// What was found in a row, as text, and the rule it breaks. Read one after the other they are a sentence.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) value: String,
    pub(super) rule: String,
}

impl Found {
    pub(super) fn new(value: impl ToString, rule: impl Into<String>) -> Self {
        Self { value: value.to_string(), rule: rule.into() }
    }
}

/// Refuses the batch if there are bad rows; `describe` says what was found in one of them and which rule it breaks.
pub(super) fn refuse_rows(
    column: &str,
    bad_rows: impl IntoIterator<Item = usize>,
    mut describe: impl FnMut(usize) -> Found,
) -> Result<()> {
    let mut rows = Vec::new();
    let mut count = 0_usize;
    for row in bad_rows {
        count += 1;
        if rows.len() < DESCRIBED_MAX {
            let Found { value, rule } = describe(row);
            rows.push(BadRow { row, column: column.to_owned(), value, rule });
        }
    }
    if rows.is_empty() { Ok(()) } else { Err(EngineError::InvalidRows(BadRows { rows, count })) }
}

/// Refuses nulls in a column that must not have any.
pub(super) fn refuse_nulls(column: &str, nulls: Option<&NullBuffer>) -> Result<()> {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return Ok(()) };
    let null_rows = (0..nulls.len()).filter(|row| nulls.is_null(*row));
    refuse_rows(column, null_rows, |_| Found::new("null", "is not allowed"))
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
