//! The recipe of a load: what decides which rows the bytes of a file become. Two loads of the same bytes by the same recipe are one load,
//! however its options were written. The text of a recipe is hashed into the Delta log (`docs/formats.md`): it does not change.

use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::{Float64Type, TimestampMicrosecondType},
};
use hexflight_engine::{ColumnRole, ContentHash};

use super::{
    column::ArrayOrder,
    mapping::{Mapping, Origin, constant},
};

/// First line of a recipe's text.
const HEAD: &str = "hexflight recipe 1";

/// A recipe under way: one line after the other.
#[derive(Debug)]
pub(crate) struct Recipe(String);

impl Recipe {
    /// Of files of a format.
    pub(crate) fn of(format: &str) -> Self {
        Self(format!("{HEAD}\nformat {format}\n"))
    }

    /// Adds where a column of the table, or its position, comes from.
    pub(crate) fn line(&mut self, column: &str, origin: &str) {
        self.0.push_str(column);
        self.0.push(' ');
        self.0.push_str(origin);
        self.0.push('\n');
    }

    /// Adds the columns of a file whose columns have places.
    pub(crate) fn mapping(mut self, mapping: &Mapping) -> Self {
        for entry in &mapping.entries {
            let origin = match &entry.origin {
                Origin::Column { index, field: None, .. } => format!("column {index}"),
                Origin::Column { index, field: Some(field), .. } => format!("column {index} field {field}"),
                Origin::Position => mapping.position.as_ref().map_or_else(String::new, |position| {
                    format!("position {}{}", position.index, order(position.order))
                }),
                Origin::Constant(text) => constant_text(entry.column, text),
                Origin::Absent => "absent".to_owned(),
            };
            self.line(entry.column.name(), &origin);
        }
        self
    }

    /// Its hash.
    pub(crate) fn hash(&self) -> ContentHash {
        ContentHash(*blake3::hash(self.0.as_bytes()).as_bytes())
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// How a recipe names the order of arrays that are positions.
pub(crate) fn order(order: ArrayOrder) -> &'static str {
    match order {
        ArrayOrder::Unsaid => "",
        ArrayOrder::LonLat => " lon lat",
    }
}

/// A constant as the value that it is: `1` and `1.0` are one number, and an instant has many texts.
pub(crate) fn constant_text(column: ColumnRole, text: &str) -> String {
    let values = constant(column, text, 1, &mut Vec::new()).ok();
    let value = |values: &ArrayRef| {
        if let Some(times) = values.as_primitive_opt::<TimestampMicrosecondType>() {
            return times.value(0).to_string();
        }
        values.as_primitive_opt::<Float64Type>().map_or_else(
            || serde_json::Value::from(text).to_string(),
            |numbers| (numbers.value(0) + 0.0).to_string(),
        )
    };
    format!("is {}", values.as_ref().map(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::mapping::{ColumnRules, PositionRule};

    const HEADER: [&str; 7] = ["TS", "sensor", "type", "value", "humidity", "geom", "note"];

    #[test]
    fn the_text_of_a_recipe_is_stored_and_stays() {
        let recipe = recipe_by(&rules(&[(ColumnRole::DeviceId, "sensor")], &[(ColumnRole::Type, "a \"b\"")]));
        let lines = [
            "hexflight recipe 1",
            "format csv ,",
            "timestamp column 0",
            "device_id column 1",
            r#"type is "a \"b\"""#,
            "value column 3",
            "latitude position 5",
            "longitude position 5",
            "metadata absent",
            "",
        ];
        assert_eq!(recipe.text(), lines.join("\n"));
    }

    #[test]
    fn options_that_mean_the_same_are_one_recipe() {
        let device = (ColumnRole::DeviceId, "sensor");
        let plain = recipe_by(&rules(&[device], &[])).hash();
        let spelled = [(ColumnRole::Value, "VALUE"), device, (ColumnRole::Timestamp, "ts")];
        let mut same = rules(&spelled, &[]);
        same.position = Some(PositionRule { name: "Geom".to_owned(), order: ArrayOrder::Unsaid });
        same.ignored = vec!["note".to_owned(), "humidity".to_owned()];
        assert_eq!(recipe_by(&same).hash(), plain);

        for (column, one, other) in [
            (ColumnRole::Value, "1", "1.0"),
            (ColumnRole::Value, "-0", "0"),
            (ColumnRole::Timestamp, "2025-06-01T12:00:00Z", "1748779200"),
        ] {
            let [one, other] =
                [one, other].map(|text| recipe_by(&rules(&[device], &[(column, text)])).hash());
            assert_eq!(one, other);
            assert_ne!(one, plain);
        }
    }

    #[test]
    fn options_that_change_rows_are_another_recipe() {
        let device = (ColumnRole::DeviceId, "sensor");
        let plain = rules(&[device], &[]);
        let mut ignored = plain.clone();
        ignored.ignored = vec!["geom".to_owned()];
        let mut ordered = plain.clone();
        ordered.position = Some(PositionRule { name: "geom".to_owned(), order: ArrayOrder::LonLat });
        let all = [
            plain,
            ignored,
            ordered,
            rules(&[device, (ColumnRole::Value, "humidity")], &[]),
            rules(&[(ColumnRole::DeviceId, "note")], &[]),
            rules(&[device], &[(ColumnRole::Type, "humidity")]),
            rules(&[device], &[(ColumnRole::Type, "temperature")]),
            rules(&[device, (ColumnRole::Metadata, "note")], &[]),
        ];
        let hashes: std::collections::HashSet<ContentHash> =
            all.iter().map(|rules| recipe_by(rules).hash()).collect();
        assert_eq!(hashes.len(), all.len());
    }

    fn rules(renamed: &[(ColumnRole, &str)], constants: &[(ColumnRole, &str)]) -> ColumnRules {
        let owned = |pairs: &[(ColumnRole, &str)]| {
            pairs.iter().map(|(column, text)| (*column, (*text).to_owned())).collect()
        };
        ColumnRules { renamed: owned(renamed), constants: owned(constants), ..ColumnRules::default() }
    }

    fn recipe_by(rules: &ColumnRules) -> Recipe {
        let header = HEADER.map(str::to_owned);
        Recipe::of("csv ,").mapping(&Mapping::of_header(&header, rules).unwrap())
    }
}
