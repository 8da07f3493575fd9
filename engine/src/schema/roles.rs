//! `TableRole`: what the columns of the table are for, whatever they are called. Who means a role asks for it instead of comparing names.

use super::column;

/// What a column of the table is for: what a producer fills ([`ColumnRole`](super::ColumnRole)), and what is derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableRole {
    /// When it happened.
    Time,
    /// Who measured.
    Device,
    /// What was measured.
    Type,
    /// The measured value.
    Value,
    /// **Units**: degrees, WGS84.
    Latitude,
    /// **Units**: degrees, WGS84.
    Longitude,
    /// The H3 cell of the position, derived.
    Cell,
    /// A JSON object as text.
    Metadata,
}

impl TableRole {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Time,
        Self::Device,
        Self::Type,
        Self::Value,
        Self::Latitude,
        Self::Longitude,
        Self::Cell,
        Self::Metadata,
    ];

    /// The column's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => column::TIMESTAMP,
            Self::Device => column::DEVICE_ID,
            Self::Type => column::TYPE,
            Self::Value => column::VALUE,
            Self::Latitude => column::LATITUDE,
            Self::Longitude => column::LONGITUDE,
            Self::Cell => column::H3,
            Self::Metadata => column::METADATA,
        }
    }

    /// What the column of exactly this name is for.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether it says where.
    #[must_use]
    pub fn is_place(self) -> bool {
        matches!(self, Self::Latitude | Self::Longitude | Self::Cell)
    }

    /// Whether every row has it.
    #[must_use]
    pub fn is_required(self) -> bool {
        matches!(self, Self::Time | Self::Device | Self::Type | Self::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TableSpec;

    #[test]
    fn roles_are_the_columns_of_the_table_in_order() {
        let spec = TableSpec::events();
        let fields = spec.query_schema().fields();
        let of_fields: Vec<_> = fields.iter().map(|field| TableRole::of(field.name())).collect();
        assert_eq!(of_fields, TableRole::ALL.map(Some));
        for (role, field) in TableRole::ALL.into_iter().zip(fields) {
            assert_eq!(role.is_required(), !field.is_nullable(), "{role:?}");
        }
        assert_eq!(TableRole::of("Timestamp"), None);
    }
}
