//! `Cause`: which part of a predicate ruled something out; counted apart in the metrics of a scan.

use std::{collections::HashSet, fmt, sync::Arc};

use datafusion::physical_expr::{PhysicalExpr, utils::collect_columns};
use hexflight_engine::TableRole;

/// The column whose range excluded a file or batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// `timestamp`.
    Time,
    /// `type`.
    Type,
    /// `h3`.
    H3,
    /// `latitude` and `longitude`, through their own ranges or that of `h3`.
    Place,
    /// Any other column, or several together.
    Other,
}

/// In the order in which they are tried and blamed.
pub(crate) const CAUSES: [Cause; 5] = [Cause::Time, Cause::Type, Cause::H3, Cause::Place, Cause::Other];

impl Cause {
    /// The cause that a conjunct would be.
    pub(crate) fn of(conjunct: &Arc<dyn PhysicalExpr>) -> Self {
        let columns = collect_columns(conjunct);
        let roles: Option<HashSet<_>> = columns.iter().map(|column| TableRole::of(column.name())).collect();
        match roles.map(Vec::from_iter).unwrap_or_default().as_slice() {
            [TableRole::Time] => Self::Time,
            [TableRole::Type] => Self::Type,
            [TableRole::Cell] => Self::H3,
            [] => Self::Other,
            roles if roles.iter().all(|role| matches!(role, TableRole::Latitude | TableRole::Longitude)) => {
                Self::Place
            }
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "time",
            Self::Type => "type",
            Self::H3 => "h3",
            Self::Place => "place",
            Self::Other => "other",
        })
    }
}
