//! `whole_moment`: text of a moment as people and other programs write it, `2024-07-01 18:00`, with the seconds that Arrow asks for; and
//! PostgreSQL's words for moments that bound all others. Put before casts of text by a rule.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, StringViewArray},
    compute::cast,
    datatypes::DataType,
};
use datafusion::{
    common::{ScalarValue, utils::take_function_args},
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

/// Its name, which no statement writes.
const NAME: &str = "whole_moment";

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct WholeMoment {
    signature: Signature,
}

impl WholeMoment {
    pub(crate) fn udf() -> Arc<ScalarUDF> {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { signature }))
    }
}

impl ScalarUDFImpl for WholeMoment {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [argument] = take_function_args(NAME, args.args)?;
        whole_moments(&argument)
    }
}

/// [`whole_moment`] of each text.
///
/// # Errors
/// `Arrow` for what is no text.
pub(super) fn whole_moments(texts: &ColumnarValue) -> Result<ColumnarValue> {
    Ok(match texts {
        ColumnarValue::Scalar(scalar) => {
            let text = scalar.try_as_str().flatten();
            ColumnarValue::Scalar(ScalarValue::Utf8View(text.map(|text| whole_moment(text).into_owned())))
        }
        ColumnarValue::Array(array) => {
            let texts = cast(array, &DataType::Utf8View)?;
            let whole: StringViewArray =
                texts.as_string_view().iter().map(|text| text.map(whole_moment)).collect();
            ColumnarValue::Array(Arc::new(whole) as ArrayRef)
        }
    })
}

/// Words for moments and the days that stand for them: Arrow has no infinity, and these are what others write in its place.
const WORDS: [(&str, &str); 4] = [
    ("infinity", "9999-12-31"),
    ("+infinity", "9999-12-31"),
    ("-infinity", "0001-01-01"),
    ("epoch", "1970-01-01"),
];

/// The text with minutes and seconds, if it is a date and an hour, or an hour and minutes, and perhaps a zone; the day, if it is a word.
#[must_use]
pub fn whole_moment(text: &str) -> Cow<'_, str> {
    let tidy = text.trim();
    if let Some((_, day)) = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(tidy)) {
        return Cow::Borrowed(day);
    }
    match split(tidy) {
        Some((date_and_hour, minutes, zone)) => Cow::Owned(format!("{date_and_hour}{minutes}:00{zone}")),
        None => Cow::Borrowed(text),
    }
}

/// `2024-07-01 18`, `:30` and the zone, if there are no seconds.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    const SHAPE: &[u8] = b"dddd-dd-dd_dd";
    let fits = |(byte, wanted): (u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        b'_' => matches!(byte, b' ' | b'T' | b't'),
        other => byte == *other,
    };
    if text.len() < SHAPE.len() || !text.bytes().zip(SHAPE).all(fits) {
        return None;
    }
    let (date_and_hour, rest) = text.split_at(SHAPE.len());
    let (minutes, zone) = match rest.as_bytes() {
        [b':', ten, one, ..] if ten.is_ascii_digit() && one.is_ascii_digit() => rest.split_at(3),
        _ => (":00", rest),
    };
    let is_zone = zone.is_empty() || zone.starts_with(['Z', 'z', '+', '-', ' ']);
    is_zone.then_some((date_and_hour, minutes, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_added_where_there_are_none() {
        for (text, whole) in [
            ("2024-07-01 18:00", "2024-07-01 18:00:00"),
            ("2024-07-01T18:30Z", "2024-07-01T18:30:00Z"),
            ("2024-07-01T18:30+02:00", "2024-07-01T18:30:00+02:00"),
            ("2024-07-01T18", "2024-07-01T18:00:00"),
            (" 2024-07-01 18:05 ", "2024-07-01 18:05:00"),
            ("2024-07-01 18:00:00", "2024-07-01 18:00:00"),
            ("2024-07-01 18:00:00.5Z", "2024-07-01 18:00:00.5Z"),
            ("2024-07-01", "2024-07-01"),
            ("2024-07-01 1:00", "2024-07-01 1:00"),
            ("high", "high"),
            (" Infinity", "9999-12-31"),
            ("-infinity", "0001-01-01"),
            ("epoch", "1970-01-01"),
            ("", ""),
        ] {
            assert_eq!(whole_moment(text), whole);
        }
    }
}
