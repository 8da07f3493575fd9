//! PostgreSQL's patterns of dates and times (`YYYY-MM-DD HH24:MI:SS`), read into the formats of `strftime` (`%Y-%m-%d %H:%M:%S`). A pattern
//! with a `%` is such a format already.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, StringArray},
    compute::cast,
    datatypes::DataType,
};
use datafusion::{
    common::ScalarValue,
    error::{DataFusionError, Result},
    logical_expr::ColumnarValue,
};

use crate::geo::refuse;

/// PostgreSQL's fields, each before those that begin like it, with what `strftime` calls the same.
const FIELDS: [(&str, &str); 30] = [
    ("YYYY", "%Y"),
    ("IYYY", "%G"),
    ("YY", "%y"),
    ("IY", "%g"),
    ("FMMonth", "%B"),
    ("FMDay", "%A"),
    ("FMMM", "%-m"),
    ("FMDD", "%-d"),
    ("FMHH24", "%-H"),
    ("FMHH12", "%-I"),
    ("FMHH", "%-I"),
    ("FMMI", "%-M"),
    ("FMSS", "%-S"),
    ("Mon", "%b"),
    ("MM", "%m"),
    ("MI", "%M"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("Dy", "%a"),
    ("ID", "%u"),
    ("IW", "%V"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%I"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("OF", "%:z"),
];

/// Fields that may also be written in small letters, and what they mean then.
const SMALL: [(&str, &str); 17] = [
    ("yyyy", "%Y"),
    ("iyyy", "%G"),
    ("yy", "%y"),
    ("mm", "%m"),
    ("mi", "%M"),
    ("ddd", "%j"),
    ("dd", "%d"),
    ("id", "%u"),
    ("iw", "%V"),
    ("hh24", "%H"),
    ("hh12", "%I"),
    ("hh", "%I"),
    ("ss", "%S"),
    ("ms", "%3f"),
    ("us", "%6f"),
    ("am", "%P"),
    ("pm", "%P"),
];

/// The format of a pattern.
///
/// # Errors
/// `Execution` for a field of PostgreSQL's that `strftime` does not have.
pub(super) fn format_of(pattern: &str) -> Result<Cow<'_, str>> {
    if pattern.contains('%') {
        return Ok(Cow::Borrowed(pattern));
    }
    let (mut format, mut rest) = (String::with_capacity(pattern.len() + 8), pattern);
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            format.push_str(text);
            rest = after;
        } else if let Some(field) = UNKNOWN.iter().find(|field| has_prefix(rest, field)) {
            return Err(unknown(pattern, field));
        } else if let Some((field, meaning)) =
            FIELDS.iter().chain(&SMALL).find(|(field, _)| rest.starts_with(field))
        {
            format.push_str(meaning);
            rest = &rest[field.len()..];
        } else if first.is_ascii_alphabetic() && first != 'T' && first != 'Z' {
            let field: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            return Err(unknown(pattern, &field));
        } else {
            format.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(Cow::Owned(format))
}

/// Fields of PostgreSQL's that would be read as others: seconds of the day as seconds twice, a zone as two letters.
const UNKNOWN: [&str; 2] = ["SSSS", "TZ"];

fn has_prefix(text: &str, field: &str) -> bool {
    text.get(..field.len()).is_some_and(|start| start.eq_ignore_ascii_case(field))
}

fn unknown(pattern: &str, field: &str) -> DataFusionError {
    refuse(format!(
        "pattern '{pattern}': {field} is not known; write letters in double quotes, and fields as YYYY, MM, DD, HH24, MI, SS, MS, US, Mon, FMMonth, Dy, FMDay, AM or as strftime does, '%Y-%m-%d'"
    ))
}

/// The formats of an argument that holds patterns. What is no text stays for the function to refuse.
///
/// # Errors
/// As [`format_of`].
pub(super) fn in_formats(patterns: &ColumnarValue) -> Result<ColumnarValue> {
    Ok(match patterns {
        ColumnarValue::Scalar(scalar) => match scalar.try_as_str() {
            Some(Some(pattern)) => ColumnarValue::Scalar(ScalarValue::from(format_of(pattern)?.as_ref())),
            _ => patterns.clone(),
        },
        ColumnarValue::Array(array) if array.data_type().is_string() => {
            let texts = cast(array, &DataType::Utf8)?;
            let formats = texts.as_string::<i32>().iter().map(|pattern| pattern.map(format_of).transpose());
            ColumnarValue::Array(Arc::new(formats.collect::<Result<StringArray>>()?) as ArrayRef)
        }
        ColumnarValue::Array(_) => patterns.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_formats() {
        for (pattern, format) in [
            ("YYYY-MM-DD", "%Y-%m-%d"),
            ("YYYY-MM-DD HH24:MI:SS.US", "%Y-%m-%d %H:%M:%S.%6f"),
            ("yyyy-mm-dd\"T\"hh24:mi:ss", "%Y-%m-%dT%H:%M:%S"),
            ("YYYY-MM-DDTHH24:MI:SSZ", "%Y-%m-%dT%H:%M:%SZ"),
            ("DD Mon YYYY, HH12:MI AM", "%d %b %Y, %I:%M %p"),
            ("IYYY-IW-ID", "%G-%V-%u"),
            ("FMDay, FMDD. FMMonth", "%A, %-d. %B"),
            ("%d.%m.%Y", "%d.%m.%Y"),
            ("", ""),
        ] {
            assert_eq!(format_of(pattern).unwrap(), format, "{pattern}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        for (pattern, field) in
            [("YYYY-Q", "Q"), ("SSSS", "SSSS"), ("HH24:MI TZ", "TZ"), ("HH24:MI tz", "TZ")]
        {
            let error = format_of(pattern).unwrap_err().to_string();
            assert!(error.contains(&format!("'{pattern}': {field} is not known")), "{error}");
        }
    }
}
