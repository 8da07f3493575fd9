//! `PositionColumn`: a column of a file that holds whole positions. It fills latitude and longitude at once.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Builder, StructArray, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Fields},
    error::ArrowError,
};
use hexflight_engine::BadRow;

use super::{
    column::ArrayOrder,
    conversion::{is_text, objects, text_of},
    ignored::Ignored,
    json,
    position::{self, Read},
    rows::quoted,
    wkb,
};

/// The only field of the objects as which nested values are read.
const VALUE: &str = "value";

/// How positions are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    /// Structs, maps and lists, read as the JSON that they would be.
    Nested,
    /// Well-known binary.
    Binary,
    /// A column without values.
    Null,
}

/// A column of whole positions.
#[derive(Debug, Clone)]
pub(crate) struct PositionColumn {
    pub(crate) index: usize,
    /// What the file calls it.
    pub(crate) name: String,
    pub(crate) order: ArrayOrder,
    pub(crate) form: Form,
}

impl Form {
    /// Chooses by type; the error completes "send …".
    pub(crate) fn of(data_type: &DataType, order: ArrayOrder) -> Result<Self, &'static str> {
        match data_type {
            DataType::Null => Ok(Self::Null),
            DataType::Binary | DataType::LargeBinary => Ok(Self::Binary),
            DataType::Struct(_) | DataType::Map(..) => Ok(Self::Nested),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => match order {
                ArrayOrder::LonLat => Ok(Self::Nested),
                ArrayOrder::Unsaid => {
                    Err("a struct of latitude and longitude, or map it as coordinates if it is [lon, lat]")
                }
            },
            _ if is_text(data_type) => Ok(Self::Text),
            _ => Err(
                "a struct of latitude and longitude, or text (\"lat,lon\", WKT or GeoJSON), or let the column be ignored",
            ),
        }
    }
}

impl PositionColumn {
    /// Reads latitudes and longitudes.
    ///
    /// # Errors
    /// The array is not what the form was chosen for.
    pub(crate) fn read(
        &self,
        array: &ArrayRef,
        ignored: &Ignored,
        bad: &mut Vec<BadRow>,
    ) -> Result<[ArrayRef; 2], ArrowError> {
        let mut unused = |name: &str| ignored.add(&format!("{}.{name}", self.name));
        let mut columns = PositionColumns { name: &self.name, halves: Default::default(), bad };
        match self.form {
            Form::Null => return Ok([(); 2].map(|()| new_null_array(&DataType::Float64, array.len()))),
            Form::Text => {
                let mut long = Vec::new();
                let texts = text_of(array, &mut |row, value, rule: &str| {
                    long.push(BadRow { row, column: self.name.clone(), value, rule: rule.to_owned() });
                })?;
                for (row, text) in texts.iter().enumerate() {
                    let read = text.map(|text| position::of_text(text, self.order, &mut unused));
                    columns.push(row, read, || quoted(text.unwrap_or_default()));
                }
                columns.bad.extend(long);
            }
            Form::Nested => {
                let texts = objects(&self.name, &wrapped(array), columns.bad)?;
                for (row, text) in texts.iter().enumerate() {
                    let members = text.map(json::members).transpose();
                    let members = members.map_err(|error| ArrowError::JsonError(error.to_string()))?;
                    let raw = members.and_then(|members| members.first().map(|(_, raw)| *raw));
                    let read = raw.map(|raw| position::of_json(raw, self.order, &mut unused));
                    columns.push(row, read, || quoted(raw.unwrap_or_default()));
                }
            }
            Form::Binary => {
                let bytes = cast(array, &DataType::Binary)?;
                for (row, bytes) in bytes.as_binary::<i32>().iter().enumerate() {
                    let shown = || format!("{} bytes of binary", bytes.unwrap_or_default().len());
                    columns.push(row, bytes.map(wkb::of_bytes), shown);
                }
            }
        }
        Ok(columns.halves.map(|mut half| Arc::new(half.finish()) as ArrayRef))
    }
}

/// Latitudes and longitudes, growing.
struct PositionColumns<'a> {
    name: &'a str,
    halves: [Float64Builder; 2],
    bad: &'a mut Vec<BadRow>,
}

impl PositionColumns<'_> {
    /// Adds what was read of a value.
    fn push(&mut self, row: usize, read: Option<Read>, shown: impl Fn() -> String) {
        let position = match read {
            None => None,
            Some(Ok(position)) => position,
            Some(Err(rule)) => {
                let (column, rule) = (self.name.to_owned(), Cow::into_owned(rule));
                self.bad.push(BadRow { row, column, value: shown(), rule });
                None
            }
        };
        let position = position.unwrap_or_default();
        let [latitudes, longitudes] = &mut self.halves;
        latitudes.append_option(position.latitude);
        longitudes.append_option(position.longitude);
    }
}

/// Any array as the only field of a struct, because only objects have a JSON text in the engine.
fn wrapped(array: &ArrayRef) -> ArrayRef {
    let field = Field::new(VALUE, array.data_type().clone(), true);
    Arc::new(StructArray::new(Fields::from(vec![field]), vec![Arc::clone(array)], None))
}
