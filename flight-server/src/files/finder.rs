//! `Finder`: looks for the columns of the table in the schema of a file, by the user's words first, by the usual names otherwise.

use arrow::datatypes::{DataType, Schema};

use hexflight_engine::ColumnRole;

use super::{
    column::{array_order, is_position},
    conversion::Conversion,
    ignored::Ignored,
    mapping::{ColumnRules, Entry, Origin},
    position_column::{Form, PositionColumn},
};

/// Columns of a file that an error lists.
const LISTED_MAX: usize = 20;

/// See the module.
pub(crate) struct Finder<'a> {
    schema: &'a Schema,
    rules: &'a ColumnRules,
    text_only: bool,
    /// What the user gave to columns of the table.
    renamed: Vec<(ColumnRole, usize)>,
    /// What the user gave to the position.
    position: Option<usize>,
}

impl<'a> Finder<'a> {
    /// Looks for the columns that the user named.
    pub(crate) fn new(schema: &'a Schema, rules: &'a ColumnRules, text_only: bool) -> Result<Self, String> {
        let mut finder = Self { schema, rules, text_only, renamed: Vec::new(), position: None };
        for (column, name) in &rules.renamed {
            let index = finder.named(name, column.name())?;
            finder.renamed.push((*column, index));
        }
        if let Some(position) = &rules.position {
            finder.position = Some(finder.named(&position.name, "the position")?);
        }
        Ok(finder)
    }

    /// Where a column of the table comes from; of a position in one column nothing is said yet.
    pub(crate) fn entry(&self, column: ColumnRole) -> Result<Entry, String> {
        if let Some(text) = self.rules.constant(column) {
            let origin = Origin::Constant(text.to_owned());
            return Ok(Entry { column, origin, name: column.name().to_owned(), found: String::new() });
        }
        let renamed = self.renamed.iter().find(|(renamed, _)| *renamed == column);
        let found = match renamed {
            Some((_, index)) => Some(*index),
            // Who names a column of positions means no other.
            None if self.position.is_some() && column.is_half() => None,
            None => self.spelled(column)?,
        };
        let Some(index) = found else {
            return Ok(Entry { column, origin: Origin::Absent, name: String::new(), found: String::new() });
        };
        let field = self.schema.field(index);
        let conversion = self.conversion(column, field.name(), field.data_type())?;
        let origin = Origin::Column { index, field: None, conversion };
        Ok(Entry { column, origin, name: field.name().clone(), found: field.data_type().to_string() })
    }

    /// The column that has whole positions, if there is one.
    pub(crate) fn position(&self) -> Result<Option<PositionColumn>, String> {
        let candidate = |index: &usize| self.is_free(*index) && is_position(self.schema.field(*index).name());
        let found: Vec<usize> = match self.position {
            Some(index) => vec![index],
            None => (0..self.schema.fields().len()).filter(candidate).collect(),
        };
        let index = match found.as_slice() {
            [] => return Ok(None),
            [index] => *index,
            [first, second, ..] => {
                let [first, second] = [first, second].map(|index| self.schema.field(*index).name());
                return Err(format!(
                    "columns '{first}' and '{second}' may both be the position; choose with --map location=…"
                ));
            }
        };
        let field = self.schema.field(index);
        let order = match &self.rules.position {
            Some(rule) => rule.order.max(array_order(field.name())),
            None => array_order(field.name()),
        };
        let form = Form::of(field.data_type(), order).map_err(|accepted| {
            let (name, found) = (field.name(), field.data_type());
            format!("column '{name}' as the position: type {found} is not accepted; send {accepted}")
        })?;
        Ok(Some(PositionColumn { index, name: field.name().clone(), order, form }))
    }

    /// The two halves as fields of a struct; `None` if it has neither.
    pub(crate) fn halves(
        &self,
        position: &PositionColumn,
        ignored: &Ignored,
    ) -> Result<Option<[Entry; 2]>, String> {
        let DataType::Struct(fields) = self.schema.field(position.index).data_type() else { return Ok(None) };
        let mut halves = [ColumnRole::Latitude, ColumnRole::Longitude].map(|column| Entry {
            column,
            origin: Origin::Absent,
            name: String::new(),
            found: String::new(),
        });
        let mut unused = Vec::new();
        for (index, child) in fields.iter().enumerate() {
            let name = format!("{}.{}", position.name, child.name());
            let column = ColumnRole::of(child.name());
            let Some(half) = halves.iter_mut().find(|half| Some(half.column) == column) else {
                unused.push(name);
                continue;
            };
            if half.origin != Origin::Absent {
                return Err(format!("columns '{}' and '{name}' both fill {}", half.name, half.column.name()));
            }
            let conversion = self.conversion(half.column, &name, child.data_type())?;
            half.origin = Origin::Column { index: position.index, field: Some(index), conversion };
            half.found = child.data_type().to_string();
            half.name = name;
        }
        if halves.iter().all(|half| half.origin == Origin::Absent) {
            return Ok(None);
        }
        unused.iter().for_each(|name| ignored.add(name));
        Ok(Some(halves))
    }

    /// What is wrong with columns that are not there: those that every event has, and half of a position, which would be refused row
    /// by row.
    pub(crate) fn check_complete(&self, entries: &[Entry]) -> Result<(), String> {
        let is_absent =
            |column| entries.iter().any(|entry| entry.column == column && entry.origin == Origin::Absent);
        if let Some(missing) =
            ColumnRole::ALL.into_iter().find(|column| column.is_required() && is_absent(*column))
        {
            return Err(self.missing(missing));
        }
        let missing = match (is_absent(ColumnRole::Latitude), is_absent(ColumnRole::Longitude)) {
            (true, false) => ColumnRole::Latitude,
            (false, true) => ColumnRole::Longitude,
            _ => return Ok(()),
        };
        Err(format!(
            "column '{}' is missing, although the other half of the position is there; found: {}",
            missing.described(),
            self.listed()
        ))
    }

    fn conversion(&self, column: ColumnRole, name: &str, found: &DataType) -> Result<Conversion, String> {
        if self.text_only {
            return Ok(Conversion::of_text(column));
        }
        Conversion::of(column, found).map_err(|accepted| {
            let as_what = match name.eq_ignore_ascii_case(column.name()) {
                true => String::new(),
                false => format!(" as {}", column.name()),
            };
            format!("column '{name}'{as_what}: type {found} is not accepted; send {accepted}")
        })
    }

    /// The column that the user means: the one of exactly that name, else the one whose letters differ in case alone.
    fn named(&self, name: &str, target: &str) -> Result<usize, String> {
        let with = |is_meant: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let fields = self.schema.fields().iter().enumerate();
            fields.filter(|(_, field)| is_meant(field.name())).map(|(index, _)| index).collect()
        };
        let exact = with(&|found| found == name);
        let found = if exact.is_empty() { with(&|found| found.eq_ignore_ascii_case(name)) } else { exact };
        match found.as_slice() {
            [index] => Ok(*index),
            [] => Err(format!("column '{name}', mapped to {target}, is missing; found: {}", self.listed())),
            [first, second, ..] => {
                let [first, second] = [first, second].map(|index| self.schema.field(*index).name());
                if first == second {
                    return Err(format!("column '{first}', mapped to {target}, is there twice"));
                }
                Err(format!(
                    "column '{name}', mapped to {target}: '{first}' and '{second}' differ in case alone; write the one that is meant"
                ))
            }
        }
    }

    /// The column under one of its spellings.
    fn spelled(&self, column: ColumnRole) -> Result<Option<usize>, String> {
        let is_spelled = |index: &usize| {
            self.is_free(*index) && ColumnRole::of(self.schema.field(*index).name()) == Some(column)
        };
        let mut found = (0..self.schema.fields().len()).filter(is_spelled);
        let first = found.next();
        let (Some(first), Some(second)) = (first, found.next()) else { return Ok(first) };
        let [first, second] = [first, second].map(|index| self.schema.field(index).name());
        let name = column.name();
        if first == second {
            return Err(format!("column '{first}', which fills {name}, is there twice"));
        }
        Err(format!("columns '{first}' and '{second}' both fill {name}; choose with --map {name}=…"))
    }

    /// Whether the user said nothing about a column of the file.
    fn is_free(&self, index: usize) -> bool {
        !self.renamed.iter().any(|(_, given)| *given == index)
            && self.position != Some(index)
            && !self.rules.is_ignored(self.schema.field(index).name())
    }

    fn missing(&self, column: ColumnRole) -> String {
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
