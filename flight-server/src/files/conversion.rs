//! `Conversion`: how a column of a file becomes one of the import's schema. Chosen once per file by the types; applied to every
//! batch. Values that cannot be converted are bad rows, everything else is left to the engine's rules.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, PrimitiveArray, RecordBatch, StringArray, StringBuilder,
        TimestampMicrosecondArray, new_null_array,
    },
    compute::cast,
    datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
    error::ArrowError,
};
use hexflight_engine::{BadRow, ColumnRole, EngineError, Normaliser, SystemClock, TableSpec, column};

use super::{column::data_type, instant, number, rows::quoted};

/// Longest text that is looked at: far above what any column takes, and bounds what one row can cost. **Units**: bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// How a column is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// Arrow timestamps.
    Ticks(TimeUnit),
    /// Integers that count Unix seconds.
    Seconds,
    /// Text that holds a time.
    TimeText,
    /// Numbers of any kind.
    Number,
    /// Text that holds a number.
    NumberText,
    /// Text of any representation.
    Text,
    /// Maps and structs, to JSON text.
    Object,
    /// A column without values.
    Null,
}

impl Conversion {
    /// Chooses by type; the error completes "send …".
    pub(crate) fn of(column: ColumnRole, data_type: &DataType) -> Result<Self, &'static str> {
        if *data_type == DataType::Null {
            return Ok(Self::Null);
        }
        match column {
            ColumnRole::Timestamp => match data_type {
                DataType::Timestamp(unit, _) => Ok(Self::Ticks(*unit)),
                DataType::Int64 | DataType::Int32 | DataType::UInt32 => Ok(Self::Seconds),
                _ if is_text(data_type) => Ok(Self::TimeText),
                _ => Err("a timestamp of any unit and zone, Unix seconds as an integer, or RFC 3339 text"),
            },
            ColumnRole::DeviceId | ColumnRole::Type if is_text(data_type) => Ok(Self::Text),
            ColumnRole::DeviceId | ColumnRole::Type => Err("a text column"),
            ColumnRole::Value | ColumnRole::Latitude | ColumnRole::Longitude => match data_type {
                _ if data_type.is_integer() || data_type.is_floating() || data_type.is_decimal() => {
                    Ok(Self::Number)
                }
                _ => Err("a float, integer or decimal column"),
            },
            ColumnRole::Metadata => match data_type {
                DataType::Map(..) | DataType::Struct(_) => Ok(Self::Object),
                _ if is_text(data_type) => Ok(Self::Text),
                _ => Err("JSON objects as text, a map with text keys, or a struct"),
            },
        }
    }

    /// Chooses for a file that holds text alone.
    pub(crate) fn of_text(column: ColumnRole) -> Self {
        match column {
            ColumnRole::Timestamp => Self::TimeText,
            ColumnRole::DeviceId | ColumnRole::Type | ColumnRole::Metadata => Self::Text,
            ColumnRole::Value | ColumnRole::Latitude | ColumnRole::Longitude => Self::NumberText,
        }
    }

    /// Converts an array. `name` is the file's name of the column, for the bad rows.
    ///
    /// # Errors
    /// The array is not what the conversion was chosen for.
    pub(crate) fn apply(
        self,
        column: ColumnRole,
        name: &str,
        array: &ArrayRef,
        bad: &mut Vec<BadRow>,
    ) -> Result<ArrayRef, ArrowError> {
        let mut refuse = |row: usize, value: String, rule: &str| {
            bad.push(BadRow { row, column: name.to_owned(), value, rule: rule.to_owned() });
        };
        Ok(match self {
            Self::Null => new_null_array(&data_type(column), array.len()),
            Self::Ticks(unit) => {
                let ticks = cast(array, &DataType::Int64)?;
                times(ticks.as_primitive(), |ticks| instant::of_ticks(ticks, unit), &mut refuse)
            }
            Self::Seconds => {
                let seconds = cast(array, &DataType::Int64)?;
                times(seconds.as_primitive(), instant::of_seconds, &mut refuse)
            }
            Self::TimeText => {
                let texts = text_of(array, &mut refuse)?;
                let micros: TimestampMicrosecondArray = parsed(&texts, instant::of_text, &mut refuse);
                Arc::new(micros.with_timezone("UTC"))
            }
            Self::Number => number::of_array(array)?,
            Self::NumberText => {
                let texts = text_of(array, &mut refuse)?;
                Arc::new(parsed::<Float64Type>(&texts, number::of_text, &mut refuse))
            }
            Self::Text => Arc::new(text_of(array, &mut refuse)?),
            Self::Object => Arc::new(objects(name, array, bad)?),
        })
    }
}

/// Text of any representation, also that of dictionaries.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// As Utf8; a Utf8 array is shared.
pub(crate) fn text_of(
    array: &ArrayRef,
    refuse: &mut impl FnMut(usize, String, &str),
) -> Result<StringArray, ArrowError> {
    let texts = cast(array, &DataType::Utf8)?.as_string::<i32>().clone();
    if texts.offsets().lengths().any(|length| length > TEXT_BYTES_MAX) {
        for row in (0..texts.len()).filter(|row| texts.value(*row).len() > TEXT_BYTES_MAX) {
            let rule = format!("has {} bytes, at most {TEXT_BYTES_MAX}", texts.value(row).len());
            refuse(row, quoted(texts.value(row)), &rule);
        }
    }
    Ok(texts)
}

fn times(
    numbers: &PrimitiveArray<Int64Type>,
    micros: impl Fn(i64) -> Result<i64, &'static str>,
    refuse: &mut impl FnMut(usize, String, &str),
) -> ArrayRef {
    let mut values = Vec::with_capacity(numbers.len());
    for (row, number) in numbers.values().iter().enumerate() {
        // What lies under a null is arbitrary.
        values.push(match micros(*number) {
            Ok(micros) => micros,
            Err(_) if numbers.is_null(row) => 0,
            Err(rule) => {
                refuse(row, number.to_string(), rule);
                0
            }
        });
    }
    Arc::new(TimestampMicrosecondArray::new(values.into(), numbers.nulls().cloned()).with_timezone("UTC"))
}

fn parsed<T: ArrowPrimitiveType>(
    texts: &StringArray,
    parse: impl Fn(&str) -> Result<T::Native, &'static str>,
    refuse: &mut impl FnMut(usize, String, &str),
) -> PrimitiveArray<T> {
    let values = (0..texts.len()).map(|row| {
        let text = texts.is_valid(row).then(|| texts.value(row))?;
        parse(text).inspect_err(|rule| refuse(row, quoted(text), rule)).ok()
    });
    values.collect()
}

/// Maps and structs as JSON text, by the engine's own writer: as metadata of rows that are otherwise good.
pub(crate) fn objects(
    name: &str,
    array: &ArrayRef,
    bad: &mut Vec<BadRow>,
) -> Result<StringArray, ArrowError> {
    let rows = array.len();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"; rows]));
    let times: ArrayRef = Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from(vec![0; rows]));
    let batch = RecordBatch::try_from_iter([
        (column::TIMESTAMP, times),
        (column::DEVICE_ID, Arc::clone(&text)),
        (column::TYPE, text),
        (column::VALUE, Arc::new(Float64Array::from(vec![0.0; rows]))),
        (column::METADATA, Arc::clone(array)),
    ])?;
    let normaliser =
        Normaliser::new(Arc::new(TableSpec::events()), Duration::from_hours(1), Arc::new(SystemClock));
    let (good, refused) = normaliser.normalise_valid(&batch).map_err(|error| match error {
        EngineError::Arrow(error) => error,
        error => ArrowError::ExternalError(Box::new(error)),
    })?;
    let good = good.and_then(|good| good.column_by_name(column::METADATA).cloned());
    let mut good = good.iter().flat_map(|good| good.as_string::<i32>().iter());
    let mut texts = StringBuilder::with_capacity(rows, 0);
    let mut refused = refused.into_iter().peekable();
    for row in 0..rows {
        match refused.next_if(|bad| bad.row == row) {
            Some(refused) => {
                texts.append_null();
                // As `metadata`, or for a field of it `metadata.field`.
                let column = refused.column.replacen(column::METADATA, name, 1);
                bad.push(BadRow { column, ..refused });
            }
            None => texts.append_option(good.next().flatten()),
        }
    }
    Ok(texts.finish())
}
