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

use super::written_fields::{Source, WRITTEN, ordinal};
use crate::geo::refuse;

/// PostgreSQL's fields with what `strftime` calls the same.
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

/// What a pattern is made of.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// A format of `strftime`.
    Format(String),
    /// A field that is computed.
    Field(Field),
}

/// A field that `strftime` does not have, or one with a modifier.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) source: Source,
    compute: fn(&str) -> String,
    /// `FM`: without blanks and leading zeros.
    is_short: bool,
    /// `TH` or `th`: `1ST` or `1st`.
    ordinal: Option<&'static str>,
}

impl Field {
    /// What the field is for a text of its source.
    pub(super) fn of(&self, source: &str) -> String {
        let mut text = (self.compute)(source);
        if self.is_short {
            let short = text.trim_end();
            let is_number = !short.is_empty() && short.bytes().all(|digit| digit.is_ascii_digit());
            let bare = if is_number { short.trim_start_matches('0') } else { short };
            text = if bare.is_empty() && is_number { "0".to_owned() } else { bare.to_owned() };
        }
        match self.ordinal {
            Some("TH") => text.clone() + &ordinal(&text).to_uppercase(),
            Some(_) => text.clone() + ordinal(&text),
            None => text,
        }
    }
}

/// The format of a pattern by which a text is read.
///
/// # Errors
/// `Execution` for a field of PostgreSQL's that `strftime` does not have.
pub(super) fn format_of(pattern: &str) -> Result<Cow<'_, str>> {
    if pattern.contains('%') {
        return Ok(Cow::Borrowed(pattern));
    }
    if let Some(field) = UNKNOWN.iter().find(|field| pattern.to_ascii_uppercase().contains(**field)) {
        return Err(unknown(pattern, field));
    }
    let (mut format, mut rest) = (String::with_capacity(pattern.len() + 8), pattern);
    while let Some(first) = rest.chars().next() {
        let (text, after) = match simple(rest) {
            Some((field, meaning)) => (Cow::Borrowed(meaning), &rest[field.len()..]),
            None => literal(pattern, rest, first)?,
        };
        format.push_str(&text);
        rest = after;
    }
    Ok(Cow::Owned(format))
}

/// The pieces of a pattern by which a moment is written.
///
/// # Errors
/// `Execution` for a field that PostgreSQL does not have either.
pub(super) fn pieces_of(pattern: &str) -> Result<Vec<Piece>> {
    if pattern.contains('%') {
        return Ok(vec![Piece::Format(pattern.to_owned())]);
    }
    let (mut pieces, mut rest) = (vec![], pattern);
    while let Some(first) = rest.chars().next() {
        let text = match written(rest) {
            Some((field, after)) => {
                pieces.push(Piece::Field(field));
                rest = after;
                continue;
            }
            None => match simple(rest) {
                Some((field, meaning)) => {
                    rest = &rest[field.len()..];
                    Cow::Borrowed(meaning)
                }
                None => {
                    let (text, after) = literal(pattern, rest, first)?;
                    rest = after;
                    text
                }
            },
        };
        match pieces.last_mut() {
            Some(Piece::Format(format)) => format.push_str(&text),
            _ => pieces.push(Piece::Format(text.into_owned())),
        }
    }
    Ok(pieces)
}

/// The longest field that `strftime` has at the start of a text, and its meaning.
fn simple(rest: &str) -> Option<(&'static str, &'static str)> {
    let begins = FIELDS.iter().chain(&SMALL).filter(|(field, _)| rest.starts_with(field));
    begins.max_by_key(|(field, _)| field.len()).copied()
}

/// The field at the start of a text that must be computed, and what follows it.
fn written(rest: &str) -> Option<(Field, &str)> {
    let modified = ["FM", "fm", "TM", "tm"].iter().find_map(|modifier| rest.strip_prefix(modifier));
    let is_short = modified.is_some();
    let start = modified.unwrap_or(rest);
    let is_at_start = |name: &str| start.starts_with(name) || start.starts_with(&name.to_ascii_lowercase());
    // Of names of one length the first counts: those in small letters stand before.
    let computed =
        WRITTEN.iter().rev().filter(|(name, ..)| is_at_start(name)).max_by_key(|(name, ..)| name.len());
    let known = simple(start);
    let (length, source, compute): (_, _, fn(&str) -> String) = match (computed, known) {
        (Some((name, source, compute)), known)
            if known.is_none_or(|(field, _)| field.len() <= name.len()) =>
        {
            (name.len(), *source, *compute)
        }
        (_, Some((field, meaning))) => (field.len(), Source::Format(meaning), str::to_owned),
        _ => return None,
    };
    let after = &start[length..];
    // `DDTHH24` is a `T` between a day and an hour.
    let ends =
        |ordinal: &&str| after.strip_prefix(*ordinal).is_some_and(|rest| !rest.starts_with(['H', 'h']));
    let ordinal = ["TH", "th"].into_iter().find(ends);
    let is_simple = !is_short && ordinal.is_none() && computed.is_none_or(|(name, ..)| name.len() != length);
    let after = ordinal.map_or(after, |ordinal| &after[ordinal.len()..]);
    (!is_simple).then_some((Field { source, compute, is_short, ordinal }, after))
}

/// Text in quotes, or a character that is no letter of a field, and what follows it.
fn literal<'p>(pattern: &str, rest: &'p str, first: char) -> Result<(Cow<'p, str>, &'p str)> {
    if let Some(quoted) = rest.strip_prefix('"') {
        let (text, after) = quoted.split_once('"').unwrap_or((quoted, ""));
        return Ok((Cow::Borrowed(text), after));
    }
    if first.is_ascii_alphabetic() && first != 'T' && first != 'Z' {
        let field: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        return Err(unknown(pattern, &field));
    }
    let (text, after) = rest.split_at(first.len_utf8());
    Ok((Cow::Borrowed(text), after))
}

/// Fields of PostgreSQL's that would be read as others: seconds of the day as seconds twice, a zone as two letters.
const UNKNOWN: [&str; 2] = ["SSSS", "TZ"];

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
        let error = pieces_of("YYYY foo").unwrap_err().to_string();
        assert!(error.contains("'YYYY foo': foo is not known"), "{error}");
    }

    #[test]
    fn what_strftime_has_is_one_format() {
        for (pattern, format) in
            [("YYYY-MM-DDTHH24:MI:SSZ", "%Y-%m-%dT%H:%M:%SZ"), ("Dy Mon", "%a %b"), ("%q", "%q")]
        {
            let pieces = pieces_of(pattern).unwrap();
            assert!(matches!(pieces.as_slice(), [Piece::Format(found)] if found == format), "{pieces:?}");
        }
        let pieces = pieces_of("DDth FMMonth YYYY").unwrap();
        assert!(matches!(
            pieces.as_slice(),
            [Piece::Field(_), Piece::Format(_), Piece::Field(_), Piece::Format(_)]
        ));
    }
}
