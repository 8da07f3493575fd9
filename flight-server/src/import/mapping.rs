//! `Mapping`: which column of a file fills which column of the table. Made once per file from its schema; looks at no row.
//!
//! In this order: a constant (`--set`), a name given for it (`--map`), one of the usual spellings, a field of `location`. Other
//! columns of the file are ignored and listed: files of analysts have more columns than events.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, make_array, new_null_array},
    buffer::NullBuffer,
    compute::cast,
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use hexflight_engine::{BadRow, column};

use super::{
    column::{Column, LOCATION, schema},
    conversion::Conversion,
    rows::Rows,
};

/// Columns of a file that an error lists.
const LISTED_MAX: usize = 20;

/// What the user said about columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnRules {
    /// The file's names of columns.
    pub(crate) renamed: Vec<(Column, String)>,
    /// Columns that have one value in every row.
    pub(crate) constants: Vec<(Column, String)>,
    /// Refuse a file with columns that fill nothing.
    pub(crate) strict: bool,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// A column of the file, or a field of it.
    Column { index: usize, field: Option<usize>, conversion: Conversion },
    /// The same text in every row.
    Constant(String),
    /// The file does not have it.
    Absent,
}

/// One column of the table.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) column: Column,
    pub(crate) origin: Origin,
    /// What the file calls it.
    pub(crate) name: String,
    /// The type found, as text.
    pub(crate) found: String,
}

/// Which column of a file fills which column of the table.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    /// One per column, in the order of [`Column::ALL`].
    pub(crate) entries: Vec<Entry>,
    /// Columns of the file that fill nothing.
    pub(crate) ignored: Vec<String>,
}

impl ColumnRules {
    /// The file's name of a column, if the user gave one.
    pub(crate) fn renamed(&self, column: Column) -> Option<&str> {
        self.renamed.iter().find(|(renamed, _)| *renamed == column).map(|(_, name)| name.as_str())
    }

    /// The value of a column, if the user gave one.
    pub(crate) fn constant(&self, column: Column) -> Option<&str> {
        self.constants.iter().find(|(constant, _)| *constant == column).map(|(_, text)| text.as_str())
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
        let finder = Finder { schema, rules, text_only };
        let entries = Column::ALL.map(|column| finder.entry(column));
        let entries = entries.into_iter().collect::<Result<Vec<_>, _>>()?;
        finder.check_position(&entries)?;
        let used = |index| {
            entries
                .iter()
                .any(|entry| matches!(entry.origin, Origin::Column { index: used, .. } if used == index))
        };
        let fields = schema.fields().iter().enumerate();
        let ignored: Vec<String> =
            fields.filter(|(index, _)| !used(*index)).map(|(_, field)| field.name().clone()).collect();
        match ignored.iter().find(|name| *name != column::H3) {
            Some(unknown) if rules.strict => Err(format!(
                "column '{unknown}' fills no column of the table; give it a meaning with --map, or leave out --strict"
            )),
            _ => Ok(Self { entries, ignored }),
        }
    }

    /// Columns of the file that are read, ascending.
    pub(crate) fn columns_read(&self) -> Vec<usize> {
        let mut read: Vec<usize> = self.entries.iter().filter_map(Entry::index).collect();
        read.sort_unstable();
        read.dedup();
        read
    }

    /// The same for batches that hold only [`Self::columns_read`].
    pub(crate) fn projected(&self) -> Self {
        let read = self.columns_read();
        let mut mapping = self.clone();
        for entry in &mut mapping.entries {
            if let Origin::Column { index, .. } = &mut entry.origin {
                *index = read.iter().position(|read| read == index).unwrap_or_default();
            }
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
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.entries.len());
        for Entry { column, origin, name, .. } in &self.entries {
            columns.push(match origin {
                Origin::Absent => new_null_array(&column.data_type(), batch.num_rows()),
                Origin::Constant(text) => {
                    let texts: ArrayRef =
                        Arc::new(StringArray::from_iter_values(vec![text.as_str(); batch.num_rows()]));
                    Conversion::of_text(*column).apply(*column, name, &texts, &mut bad)?
                }
                Origin::Column { index, field: None, conversion } => {
                    conversion.apply(*column, name, batch.column(*index), &mut bad)?
                }
                Origin::Column { index, field: Some(field), conversion } => {
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
            Origin::Constant(_) | Origin::Absent => None,
        }
    }
}

/// A field of a struct column; null where the struct is.
fn field_of(column: &ArrayRef, field: usize) -> Result<ArrayRef, ArrowError> {
    let parent = column
        .as_struct_opt()
        .ok_or_else(|| ArrowError::SchemaError("a struct column changed its type".to_owned()))?;
    // A type that numbers are cast to anyway, so that the nulls of the parent can be added.
    let values = cast(parent.column(field), &DataType::Float64)?;
    let nulls = NullBuffer::union(values.nulls(), parent.nulls());
    Ok(make_array(values.to_data().into_builder().nulls(nulls).build()?))
}

/// Looks for columns in the schema of a file.
struct Finder<'a> {
    schema: &'a Schema,
    rules: &'a ColumnRules,
    text_only: bool,
}

impl Finder<'_> {
    fn entry(&self, column: Column) -> Result<Entry, String> {
        if let Some(text) = self.rules.constant(column) {
            let origin = Origin::Constant(text.to_owned());
            return Ok(Entry { column, origin, name: column.name().to_owned(), found: String::new() });
        }
        let found = match self.rules.renamed(column) {
            Some(name) => Some(self.renamed(column, name)?),
            None => self.spelled(column)?,
        };
        let Some(index) = found else {
            return match self.in_location(column)? {
                Some(entry) => Ok(entry),
                None if column.is_required() => Err(self.missing(column)),
                None => {
                    Ok(Entry { column, origin: Origin::Absent, name: String::new(), found: String::new() })
                }
            };
        };
        let field = self.schema.field(index);
        let conversion = self.conversion(column, field.name(), field.data_type())?;
        let origin = Origin::Column { index, field: None, conversion };
        Ok(Entry { column, origin, name: field.name().clone(), found: field.data_type().to_string() })
    }

    fn conversion(&self, column: Column, name: &str, found: &DataType) -> Result<Conversion, String> {
        if self.text_only {
            return Ok(Conversion::of_text(column));
        }
        Conversion::of(column, found).map_err(|accepted| {
            let as_what =
                if name == column.name() { String::new() } else { format!(" as {}", column.name()) };
            format!("column '{name}'{as_what}: type {found} is not accepted; send {accepted}")
        })
    }

    fn renamed(&self, column: Column, name: &str) -> Result<usize, String> {
        self.only(name, column)?.ok_or_else(|| {
            format!("column '{name}', mapped to {}, is missing; found: {}", column.name(), self.listed())
        })
    }

    /// The column under one of its spellings; a name that the user gave to another column does not count.
    fn spelled(&self, column: Column) -> Result<Option<usize>, String> {
        let taken = |name: &str| self.rules.renamed.iter().any(|(_, given)| given == name);
        let mut found: Option<usize> = None;
        for name in column.spellings().iter().filter(|name| !taken(name)) {
            let Some(index) = self.only(name, column)? else { continue };
            if let Some(earlier) = found {
                return Err(format!(
                    "columns '{}' and '{name}' both fill {}; choose with --map {}=…",
                    self.schema.field(earlier).name(),
                    column.name(),
                    column.name()
                ));
            }
            found = Some(index);
        }
        Ok(found)
    }

    /// The only column of that name.
    fn only(&self, name: &str, column: Column) -> Result<Option<usize>, String> {
        let mut found = self.schema.fields().iter().enumerate().filter(|(_, field)| field.name() == name);
        let first = found.next().map(|(index, _)| index);
        match found.next() {
            Some(_) => Err(format!("column '{name}', which fills {}, is there twice", column.name())),
            None => Ok(first),
        }
    }

    fn in_location(&self, column: Column) -> Result<Option<Entry>, String> {
        if !matches!(column, Column::Latitude | Column::Longitude) {
            return Ok(None);
        }
        let Some((index, location)) =
            self.schema.fields().iter().enumerate().find(|(_, field)| field.name() == LOCATION)
        else {
            return Ok(None);
        };
        let DataType::Struct(fields) = location.data_type() else { return Ok(None) };
        let Some((field, child)) =
            fields.iter().enumerate().find(|(_, field)| Column::of(field.name()) == Some(column))
        else {
            return Ok(None);
        };
        let name = format!("{LOCATION}.{}", child.name());
        let conversion = self.conversion(column, &name, child.data_type())?;
        let origin = Origin::Column { index, field: Some(field), conversion };
        Ok(Some(Entry { column, origin, name, found: child.data_type().to_string() }))
    }

    /// Half a position is refused for the whole file: it would be refused row by row.
    fn check_position(&self, entries: &[Entry]) -> Result<(), String> {
        let is_absent =
            |column| entries.iter().any(|entry| entry.column == column && entry.origin == Origin::Absent);
        let missing = match (is_absent(Column::Latitude), is_absent(Column::Longitude)) {
            (true, false) => Column::Latitude,
            (false, true) => Column::Longitude,
            _ => return Ok(()),
        };
        Err(format!(
            "column '{}' is missing, although the other half of the position is there; found: {}",
            missing.described(),
            self.listed()
        ))
    }

    fn missing(&self, column: Column) -> String {
        format!(
            "column '{}' is missing; found: {}; say which it is with --map {name}=COLUMN, or give every row one \
             value with --set {name}=VALUE",
            column.described(),
            self.listed(),
            name = column.name()
        )
    }

    fn listed(&self) -> String {
        let names = self.schema.fields().iter().take(LISTED_MAX).map(|field| field.name().as_str());
        let listed = names.collect::<Vec<_>>().join(", ");
        match self.schema.fields().len() {
            0 => "no columns".to_owned(),
            count if count > LISTED_MAX => format!("{listed}, …"),
            _ => listed,
        }
    }
}
