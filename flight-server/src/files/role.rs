//! `Role`: what a member of an NDJSON event is for, by the same rules as the columns of other files. Lines differ in shape, so it is
//! found anew for each line.

use hexflight_engine::ColumnRole;

use super::{
    column::{ArrayOrder, array_order, is_position},
    json::Members,
    mapping::ColumnRules,
};

/// What a member of an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Column(ColumnRole),
    /// The whole position.
    Position(ArrayOrder),
    /// Nothing.
    Ignored,
}

impl Role {
    /// Of the member `name`, which is one of `members`; several only where the user gave it to several columns.
    pub(crate) fn all_of(name: &str, members: &Members<'_>, rules: &ColumnRules) -> (Self, Vec<Self>) {
        let mut given = Self::given(name, members, rules).into_iter();
        match given.next() {
            Some(first) => (first, given.collect()),
            None => (Self::usual(name, rules), Vec::new()),
        }
    }

    /// Of a name about which the user said nothing, or that it is to be ignored.
    fn usual(name: &str, rules: &ColumnRules) -> Self {
        if rules.is_ignored(name) {
            return Self::Ignored;
        }
        match ColumnRole::of(name) {
            // Who names a column, or a field of positions, means no other.
            Some(column) if rules.renamed(column).is_some() => Self::Ignored,
            Some(column) if column.is_half() && rules.position.is_some() => Self::Ignored,
            Some(column) if rules.constant(column).is_some() => Self::Ignored,
            Some(column) => Self::Column(column),
            None if is_position(name) && !rules.has_halves() => Self::Position(array_order(name)),
            None => Self::Ignored,
        }
    }

    /// The roles that the user gave to it; a member that differs in case has them where there is no other.
    fn given(name: &str, members: &Members<'_>, rules: &ColumnRules) -> Vec<Self> {
        let columns = rules.renamed.iter().map(|(column, given)| (given, Self::Column(*column)));
        let position = rules.position.iter().map(|position| {
            (&position.name, Self::Position(position.order.max(array_order(&position.name))))
        });
        let alike = columns.chain(position).filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let is_meant = |given: &str| given == name || !members.iter().any(|(other, _)| other == given);
        alike.map(|(given, role)| if is_meant(given) { role } else { Self::Ignored }).collect()
    }
}

impl ColumnRules {
    /// Whether the user said where latitude and longitude come from, so that no whole position is wanted.
    fn has_halves(&self) -> bool {
        let is_given = |column| self.renamed(column).is_some() || self.constant(column).is_some();
        self.position.is_some() || is_given(ColumnRole::Latitude) || is_given(ColumnRole::Longitude)
    }

    /// Whether nothing is said about names of the file.
    pub(crate) fn are_usual(&self) -> bool {
        self.renamed.is_empty() && self.position.is_none() && self.ignored.is_empty()
    }
}
