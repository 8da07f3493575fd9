//! Hides an expression from simplifications that look for the same expression twice, or for a certain function.

use std::collections::BTreeMap;

use datafusion::{
    common::metadata::FieldMetadata,
    logical_expr::{Expr, expr::Alias},
};

/// The same value under an alias that the optimizer keeps: it drops those without metadata. Physical plans have no aliases.
pub(super) fn set_apart(expression: Expr, label: &str) -> Expr {
    let name = expression.schema_name().to_string();
    let metadata = FieldMetadata::new(BTreeMap::from([("hexflight:apart".to_owned(), label.to_owned())]));
    Expr::Alias(Alias::new(expression, None::<&str>, name).with_metadata(Some(metadata)))
}

/// Whether an expression is set apart already.
pub(super) fn is_apart(expression: &Expr) -> bool {
    matches!(expression, Expr::Alias(alias) if alias.metadata.is_some())
}
