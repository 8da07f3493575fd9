//! `Mapping`: which column of a file fills which column of the table. Made once per file from its schema; looks at no row.
//!
//! In this order: a constant (`--set`), a name given for it (`--map`), one of the usual names in any case, and for latitude and longitude
//! together a column of whole positions. Other columns of the file are ignored and listed: files of analysts have more columns than
//! events.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, make_array, new_null_array},
    buffer::NullBuffer,
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use hexflight_engine::{BadRow, ColumnRole, column};

use super::{
    column::{ArrayOrder, data_type, schema},
    conversion::Conversion,
    finder::Finder,
    ignored::Ignored,
    number,
    position_column::PositionColumn,
    rows::Rows,
};

/// What the user said about columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnRules {
    /// The file's names of columns.
    pub(crate) renamed: Vec<(ColumnRole, String)>,
    /// The file's name of the column that has whole positions.
    pub(crate) position: Option<PositionRule>,
    /// Columns that have one value in every row.
    pub(crate) constants: Vec<(ColumnRole, String)>,
    /// The file's names of columns that fill nothing, whatever they are called.
    pub(crate) ignored: Vec<String>,
    /// Refuse a file with columns that fill nothing.
    pub(crate) strict: bool,
}

/// What the user said about the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PositionRule {
    pub(crate) name: String,
    pub(crate) order: ArrayOrder,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// A column of the file, or a field of it.
    Column { index: usize, field: Option<usize>, conversion: Conversion },
    /// Half of [`Mapping::position`].
    Position,
    /// The same text in every row.
    Constant(String),
    /// The file does not have it.
    Absent,
}

/// One column of the table.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) column: ColumnRole,
    pub(crate) origin: Origin,
    /// What the file calls it.
    pub(crate) name: String,
    /// The type found, as text.
    pub(crate) found: String,
}

/// Which column of a file fills which column of the table.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    /// One per column, in the order of [`ColumnRole::ALL`].
    pub(crate) entries: Vec<Entry>,
    /// What latitude and longitude are both read from.
    pub(crate) position: Option<PositionColumn>,
    /// Columns and fields of the file that fill nothing.
    pub(crate) ignored: Ignored,
}

impl ColumnRules {
    /// The file's name of a column, if the user gave one.
    pub(crate) fn renamed(&self, column: ColumnRole) -> Option<&str> {
        self.renamed.iter().find(|(renamed, _)| *renamed == column).map(|(_, name)| name.as_str())
    }

    /// The value of a column, if the user gave one.
    pub(crate) fn constant(&self, column: ColumnRole) -> Option<&str> {
        self.constants.iter().find(|(constant, _)| *constant == column).map(|(_, text)| text.as_str())
    }

    /// Whether the user wants a column of the file ignored.
    pub(crate) fn is_ignored(&self, name: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(name))
    }

    /// Whether a column that fills nothing is one too many.
    pub(crate) fn is_unwanted(&self, name: &str) -> bool {
        self.strict && !name.eq_ignore_ascii_case(column::H3) && !self.is_ignored(name)
    }
}

impl Mapping {
    /// Maps a file of typed columns; the error is a reason to be put behind the name of the file.
    pub(crate) fn of_schema(schema: &Schema, rules: &ColumnRules) -> Result<Self, String> {
        Self::resolve(schema, rules, false)
    }

    /// Maps a file of text columns by their names.
    pub(crate) fn of_header(names: &[String], rules: &ColumnRules) -> Result<Self, String> {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        Self::resolve(&Schema::new(fields), rules, true)
    }

    fn resolve(schema: &Schema, rules: &ColumnRules, text_only: bool) -> Result<Self, String> {
        let finder = Finder::new(schema, rules, text_only)?;
        let entries = ColumnRole::ALL.map(|column| finder.entry(column));
        let entries = entries.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut mapping = Self { entries, position: None, ignored: Ignored::default() };
        mapping.find_position(&finder)?;
        finder.check_complete(&mapping.entries)?;
        let read = mapping.columns_read();
        for (index, field) in schema.fields().iter().enumerate() {
            let name = field.name();
            if read.contains(&index) {
                continue;
            }
            if rules.is_unwanted(name) {
                return Err(format!(
                    "column '{name}' fills no column of the table; give it a meaning with --map, leave it out with --ignore, or leave \
                     out --strict"
                ));
            }
            mapping.ignored.add(name);
        }
        Ok(mapping)
    }

    /// Columns of latitude and longitude are preferred to one of positions.
    fn find_position(&mut self, finder: &Finder<'_>) -> Result<(), String> {
        let halves = self.entries.iter().filter(|entry| entry.column.is_half());
        if halves.into_iter().any(|half| half.origin != Origin::Absent) {
            return Ok(());
        }
        let Some(position) = finder.position()? else { return Ok(()) };
        if let Some(halves) = finder.halves(&position, &self.ignored)? {
            for half in halves {
                self.put(half);
            }
            return Ok(());
        }
        for column in [ColumnRole::Latitude, ColumnRole::Longitude] {
            let (name, found) = (position.name.clone(), format!("{:?}", position.form));
            self.put(Entry { column, origin: Origin::Position, name, found });
        }
        self.position = Some(position);
        Ok(())
    }

    fn put(&mut self, entry: Entry) {
        if let Some(absent) = self.entries.iter_mut().find(|absent| absent.column == entry.column) {
            *absent = entry;
        }
    }

    /// Columns of the file that are read, ascending.
    pub(crate) fn columns_read(&self) -> Vec<usize> {
        let position = self.position.iter().map(|position| position.index);
        let mut read: Vec<usize> = self.entries.iter().filter_map(Entry::index).chain(position).collect();
        read.sort_unstable();
        read.dedup();
        read
    }

    /// The same for batches that hold only [`Self::columns_read`].
    pub(crate) fn projected(&self) -> Self {
        let read = self.columns_read();
        let place = |index: usize| read.iter().position(|read| *read == index).unwrap_or_default();
        let mut mapping = self.clone();
        for entry in &mut mapping.entries {
            if let Origin::Column { index, .. } = &mut entry.origin {
                *index = place(*index);
            }
        }
        if let Some(position) = &mut mapping.position {
            position.index = place(position.index);
        }
        mapping
    }

    /// What the file calls a column of the table.
    pub(crate) fn file_name<'a>(&'a self, name: &'a str) -> &'a str {
        let found = self.entries.iter().find(|entry| entry.column.name() == name);
        found.filter(|entry| !entry.name.is_empty()).map_or(name, |entry| &entry.name)
    }

    /// Brings a batch of the file, whose first row is row `first` of it, into the import's schema. `bad` are rows of the batch
    /// that are known to be bad; `bytes` is their share of the file.
    ///
    /// # Errors
    /// The batch does not have the mapped schema, or its text does not fit one column.
    pub(crate) fn apply(
        &self,
        batch: &RecordBatch,
        first: usize,
        bytes: u64,
        mut bad: Vec<BadRow>,
    ) -> Result<Rows, ArrowError> {
        let halves = self
            .position
            .as_ref()
            .map(|position| position.read(batch.column(position.index), &self.ignored, &mut bad));
        let [latitudes, longitudes] = halves.transpose()?.map_or([None, None], |halves| halves.map(Some));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.entries.len());
        for Entry { column, origin, name, .. } in &self.entries {
            let half = if *column == ColumnRole::Latitude { &latitudes } else { &longitudes };
            columns.push(match (origin, half) {
                (Origin::Position, Some(half)) => Arc::clone(half),
                (Origin::Absent | Origin::Position, _) => {
                    new_null_array(&data_type(*column), batch.num_rows())
                }
                (Origin::Constant(text), _) => constant(*column, text, batch.num_rows(), &mut bad)?,
                (Origin::Column { index, field: None, conversion }, _) => {
                    conversion.apply(*column, name, batch.column(*index), &mut bad)?
                }
                (Origin::Column { index, field: Some(field), conversion }, _) => {
                    let values = field_of(batch.column(*index), *field)?;
                    conversion.apply(*column, name, &values, &mut bad)?
                }
            });
        }
        let batch = RecordBatch::try_new(schema(), columns)?;
        Rows::without_bad(batch, first, bad, bytes)
    }
}

impl Entry {
    /// The file's column that it reads.
    fn index(&self) -> Option<usize> {
        match self.origin {
            Origin::Column { index, .. } => Some(index),
            Origin::Position | Origin::Constant(_) | Origin::Absent => None,
        }
    }
}

/// A column that has one value in every row.
pub(crate) fn constant(
    column: ColumnRole,
    text: &str,
    rows: usize,
    bad: &mut Vec<BadRow>,
) -> Result<ArrayRef, ArrowError> {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(vec![text; rows]));
    Conversion::of_text(column).apply(column, column.name(), &texts, bad)
}

/// A field of a struct column; null where the struct is.
fn field_of(column: &ArrayRef, field: usize) -> Result<ArrayRef, ArrowError> {
    let parent = column
        .as_struct_opt()
        .ok_or_else(|| ArrowError::SchemaError("a struct column changed its type".to_owned()))?;
    // A type that numbers are brought to anyway, so that the nulls of the parent can be added.
    let values = number::of_array(parent.column(field))?;
    let nulls = NullBuffer::union(values.nulls(), parent.nulls());
    Ok(make_array(values.to_data().into_builder().nulls(nulls).build()?))
}
