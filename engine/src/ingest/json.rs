//! Arrow maps and structs as JSON text, one object per row. The shape of the column is resolved once, the rows then walk it.
//!
//! A null in a map or list stays `null`; a null field of a struct is left out, because a struct column has every field that
//! any of its rows has.

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array, StringArray,
        UInt64Array,
    },
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    compute::cast,
    datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit, UInt64Type},
    util::display::{ArrayFormatter, FormatOptions},
};

use super::{
    bad_rows::{Found, quoted, refuse_rows, shortened, wrong_type},
    growth::json_bytes,
    metadata::METADATA_BYTES_MAX,
    text::{TextReader, refuse_too_much, to_offset},
    timestamp,
};
use crate::error::{EngineError, Result};

/// Deepest nesting of a column's type; JSON parsers stop at about twice that.
const DEPTH_MAX: usize = 64;

/// How dates and times are shown: ISO 8601, which is Arrow's default.
const FORMAT: FormatOptions<'_> = FormatOptions::new();

/// Writes every row of a map or struct column as a JSON object.
pub(super) fn write_objects(name: &str, column: &dyn Array) -> Result<StringArray> {
    let writer = JsonWriter::of(name, column, DEPTH_MAX)?;
    let expected = json_bytes(column);
    refuse_too_much(name, expected)?;
    let mut text = Vec::with_capacity(expected);
    let mut offsets = Vec::with_capacity(column.len() + 1);
    offsets.push(0);
    let mut bad_rows = Vec::new();
    let mut reasons = Vec::new();
    for row in 0..column.len() {
        let start = text.len();
        if column.is_valid(row) {
            let mut object = Output { text: &mut text, start };
            if let Err(reason) = writer.write(row, &mut object) {
                let found = String::from_utf8_lossy(&text[start..]).into_owned();
                reasons.push((quoted(&found), reason.rule()));
                bad_rows.push(row);
                text.truncate(start);
            }
        }
        refuse_too_much(name, text.len())?;
        offsets.push(to_offset(text.len()));
    }
    let mut reasons = reasons.into_iter();
    refuse_rows(name, bad_rows, |_| {
        reasons.next().map_or_else(|| Found::new("", ""), |(value, rule)| Found { value, rule })
    })?;
    text.shrink_to_fit();
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(StringArray::try_new(offsets, Buffer::from_vec(text), column.nulls().cloned())?)
}

/// Why a row cannot be written.
#[derive(Debug, Clone, Copy)]
enum Unwritable {
    TooLong,
    NotFinite,
    OutOfRange,
    NullKey,
}

impl Unwritable {
    fn rule(self) -> String {
        match self {
            Self::TooLong => format!("has more than {METADATA_BYTES_MAX} bytes as JSON"),
            Self::NotFinite => "is followed by NaN or infinity, which JSON does not have".to_owned(),
            Self::OutOfRange => "is followed by a date or time outside the calendar".to_owned(),
            Self::NullKey => "is followed by a null key".to_owned(),
        }
    }
}

type WriteResult = std::result::Result<(), Unwritable>;

/// The text being written; refuses to grow beyond the limit of one row.
struct Output<'t> {
    text: &'t mut Vec<u8>,
    start: usize,
}

impl Output<'_> {
    fn push(&mut self, bytes: &[u8]) -> WriteResult {
        if self.text.len() - self.start + bytes.len() > METADATA_BYTES_MAX {
            return Err(Unwritable::TooLong);
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    fn push_string(&mut self, value: &str) -> WriteResult {
        // Escapes only make a text longer: what is too long here need not be escaped first.
        if self.text.len() - self.start + value.len() > METADATA_BYTES_MAX {
            return Err(Unwritable::TooLong);
        }
        self.push_json(value)
    }

    fn push_json<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> WriteResult {
        // Writing text or a number into memory does not fail.
        serde_json::to_writer(&mut *self.text, value).map_err(|_| Unwritable::OutOfRange)?;
        self.push(b"")
    }
}

/// A column, its type resolved: writes one of its rows.
struct JsonWriter<'a> {
    nulls: Option<NullBuffer>,
    node: Node<'a>,
}

enum Node<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Single(&'a Float32Array),
    Double(Float64Array),
    Decimal(ArrayFormatter<'a>),
    Calendar(ArrayFormatter<'a>),
    Instant(ScalarBuffer<i64>, TimeUnit),
    Text(TextReader<'a>),
    Object(Vec<(String, JsonWriter<'a>)>),
    Map { ranges: Ranges<'a>, keys: TextReader<'a>, values: Box<JsonWriter<'a>> },
    List { ranges: Ranges<'a>, items: Box<JsonWriter<'a>> },
}

/// Which items belong to a row of a list or map.
enum Ranges<'a> {
    Small(&'a OffsetBuffer<i32>),
    Large(&'a OffsetBuffer<i64>),
    Fixed(usize),
}

impl Ranges<'_> {
    fn of(&self, row: usize) -> std::ops::Range<usize> {
        match self {
            Self::Small(offsets) => index(offsets[row])..index(offsets[row + 1]),
            Self::Large(offsets) => index(offsets[row])..index(offsets[row + 1]),
            Self::Fixed(size) => row * size..(row + 1) * size,
        }
    }
}

fn index<T: TryInto<usize>>(offset: T) -> usize {
    offset.try_into().ok().expect("offsets of Arrow are not negative")
}

impl<'a> JsonWriter<'a> {
    fn of(name: &str, array: &'a dyn Array, depth: usize) -> Result<Self> {
        if depth == 0 {
            let text = format!("column '{name}': the type is nested deeper than {DEPTH_MAX}");
            return Err(EngineError::InvalidBatch(text));
        }
        Ok(Self { nulls: array.logical_nulls(), node: Node::of(name, array, depth)? })
    }

    fn write(&self, row: usize, out: &mut Output<'_>) -> WriteResult {
        if self.is_null(row) {
            return out.push(b"null");
        }
        match &self.node {
            Node::Null => out.push(b"null"),
            Node::Boolean(values) => out.push_json(&values.value(row)),
            Node::Signed(values) => out.push_json(&values.value(row)),
            Node::Unsigned(values) => out.push_json(&values.value(row)),
            Node::Single(values) if !values.value(row).is_finite() => Err(Unwritable::NotFinite),
            Node::Single(values) => out.push_json(&values.value(row)),
            Node::Double(values) if !values.value(row).is_finite() => Err(Unwritable::NotFinite),
            Node::Double(values) => out.push_json(&values.value(row)),
            Node::Decimal(values) => out.push(shown(values, row)?.as_bytes()),
            Node::Calendar(values) => out.push_string(&shown(values, row)?),
            Node::Instant(ticks, unit) => out.push_string(&timestamp::instant_text(ticks[row], *unit)),
            Node::Text(values) => out.push_string(values.get(row).unwrap_or_default()),
            Node::Object(fields) => write_object(fields, row, out),
            Node::Map { ranges, keys, values } => write_map(ranges.of(row), keys, values, out),
            Node::List { ranges, items } => write_list(ranges.of(row), items, out),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

impl<'a> Node<'a> {
    fn of(name: &str, array: &'a dyn Array, depth: usize) -> Result<Self> {
        if let Some(text) = TextReader::of(array) {
            return Ok(Self::Text(text));
        }
        let data_type = array.data_type();
        Ok(match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            _ if data_type.is_integer() => {
                Self::Signed(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::Float32 => Self::Single(array.as_primitive::<Float32Type>()),
            DataType::Float16 | DataType::Float64 => {
                Self::Double(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            _ if data_type.is_decimal() => Self::Decimal(ArrayFormatter::try_new(array, &FORMAT)?),
            DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => {
                Self::Calendar(ArrayFormatter::try_new(array, &FORMAT)?)
            }
            DataType::Timestamp(unit, _) => Self::Instant(timestamp::ticks(array, *unit), *unit),
            DataType::Struct(_) => Self::object(name, array, depth)?,
            DataType::Map(..) => Self::map(name, array, depth)?,
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::list(name, Ranges::Small(list.offsets()), list.values(), depth)?
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                Self::list(name, Ranges::Large(list.offsets()), list.values(), depth)?
            }
            DataType::FixedSizeList(..) => {
                let list = array.as_fixed_size_list();
                Self::list(name, Ranges::Fixed(index(list.value_length())), list.values(), depth)?
            }
            _ => return Err(wrong_type(name, data_type, "a type that JSON has, or JSON as text")),
        })
    }

    fn object(name: &str, array: &'a dyn Array, depth: usize) -> Result<Self> {
        let parent = array.as_struct();
        let fields = parent.fields().iter().zip(parent.columns()).map(|(field, child)| {
            let child_name = format!("{name}.{}", shortened(field.name()));
            let key = serde_json::Value::from(field.name().as_str()).to_string();
            Ok((key, JsonWriter::of(&child_name, child.as_ref(), depth - 1)?))
        });
        Ok(Self::Object(fields.collect::<Result<_>>()?))
    }

    fn map(name: &str, array: &'a dyn Array, depth: usize) -> Result<Self> {
        let map = array.as_map();
        let keys = TextReader::of(map.keys())
            .ok_or_else(|| wrong_type(&format!("{name} (key)"), map.key_type(), "a map with text keys"))?;
        let values = Box::new(JsonWriter::of(&format!("{name} (value)"), map.values(), depth - 1)?);
        Ok(Self::Map { ranges: Ranges::Small(map.offsets()), keys, values })
    }

    fn list(name: &str, ranges: Ranges<'a>, items: &'a ArrayRef, depth: usize) -> Result<Self> {
        let items = Box::new(JsonWriter::of(&format!("{name} (item)"), items.as_ref(), depth - 1)?);
        Ok(Self::List { ranges, items })
    }
}

fn write_object(fields: &[(String, JsonWriter<'_>)], row: usize, out: &mut Output<'_>) -> WriteResult {
    out.push(b"{")?;
    let mut separator: &[u8] = b"";
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null(row)) {
        out.push(separator)?;
        out.push(key.as_bytes())?;
        out.push(b":")?;
        value.write(row, out)?;
        separator = b",";
    }
    out.push(b"}")
}

fn write_map(
    entries: std::ops::Range<usize>,
    keys: &TextReader<'_>,
    values: &JsonWriter<'_>,
    out: &mut Output<'_>,
) -> WriteResult {
    out.push(b"{")?;
    let mut separator: &[u8] = b"";
    for entry in entries {
        out.push(separator)?;
        out.push_string(keys.get(entry).ok_or(Unwritable::NullKey)?)?;
        out.push(b":")?;
        values.write(entry, out)?;
        separator = b",";
    }
    out.push(b"}")
}

fn write_list(items: std::ops::Range<usize>, values: &JsonWriter<'_>, out: &mut Output<'_>) -> WriteResult {
    out.push(b"[")?;
    let mut separator: &[u8] = b"";
    for item in items {
        out.push(separator)?;
        values.write(item, out)?;
        separator = b",";
    }
    out.push(b"]")
}

fn shown(values: &ArrayFormatter<'_>, row: usize) -> std::result::Result<String, Unwritable> {
    values.value(row).try_to_string().map_err(|_| Unwritable::OutOfRange)
}
