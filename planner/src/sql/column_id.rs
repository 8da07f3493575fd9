//! `ColumnId`: what a column is called while a statement is planned, when its own name is not the only one of its kind. DataFusion names
//! columns apart; PostgreSQL, and the people who use it, let a result have two of one name.

/// Names that begin so are ours.
const PREFIX: &str = "__column_";

/// A name that no other column has, and the name that it stands for: none for that which DataFusion gives its expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnId<'a> {
    pub(super) number: usize,
    pub(super) name: &'a str,
}

impl<'a> ColumnId<'a> {
    /// Reads a column's name.
    pub(super) fn of(column: &'a str) -> Option<Self> {
        let (number, name) = column.strip_prefix(PREFIX)?.split_once("__")?;
        number.parse().ok().map(|number| Self { number, name })
    }

    /// The name while the statement is planned.
    pub(super) fn column(&self) -> String {
        format!("{PREFIX}{}__{}", self.number, self.name)
    }
}

/// Whether a text, such as that of an error, speaks of columns under names of ours.
pub(super) fn speaks_of_ids(text: &str) -> bool {
    text.contains(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back() {
        for name in ["", "value", "a__b", "count(*)"] {
            let id = ColumnId { number: 12, name };
            assert_eq!(ColumnId::of(&id.column()), Some(ColumnId { number: 12, name }));
        }
        assert_eq!(ColumnId::of("value"), None);
    }
}
