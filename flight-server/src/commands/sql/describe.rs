//! `\d`: tables and columns, as small tables.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::SchemaRef,
};

use super::format::table_text;
use crate::{client::TableInfo, console::CliError};

/// All tables.
///
/// # Errors
/// `Format`, should it not draw.
pub(super) fn tables_text(tables: &[TableInfo]) -> Result<String, CliError> {
    let names = tables.iter().map(|table| table.name.clone()).collect();
    let columns = tables.iter().map(|table| table.schema.fields().len().to_string()).collect();
    text_of([("table", names), ("columns", columns)])
}

/// The columns of one table: names, types as they are sent, and whether a value may be missing.
///
/// # Errors
/// `Statement` when there is no such table.
pub(super) fn columns_text(tables: &[TableInfo], name: &str) -> Result<String, CliError> {
    let Some(table) = tables.iter().find(|table| table.name == name) else {
        let known: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
        let text = format!("table '{name}' does not exist; tables: {}", known.join(", "));
        return Err(CliError::Statement(text));
    };
    let fields = table.schema.fields();
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    text_of([
        ("column", fields.iter().map(|field| field.name().clone()).collect()),
        ("type", fields.iter().map(|field| field.data_type().to_string()).collect()),
        ("nullable", fields.iter().map(|field| yes_or_no(field.is_nullable())).collect()),
    ])
}

fn text_of<const N: usize>(columns: [(&'static str, Vec<String>); N]) -> Result<String, CliError> {
    let columns = columns.map(|(name, texts)| (name, Arc::new(StringArray::from(texts)) as ArrayRef));
    let batch = RecordBatch::try_from_iter(columns)?;
    table_text(&SchemaRef::clone(batch.schema_ref()), vec![batch])
}
