//! Checks a schema message before arrow-ipc converts it: the conversion panics on every type, width, unit or child count it does not
//! know. What passes here is the set of types that ingest and parameters can be asked to read.

use arrow::ipc::{DateUnit, Endianness, Field, IntervalUnit, Precision, Schema, TimeUnit, Type, UnionMode};

/// Nesting of structs and maps; `location` and `metadata` need 3.
const DEPTH_MAX: usize = 8;

/// Fields of a schema, nested ones included.
const FIELDS_MAX: usize = 1_024;

/// Members of a union.
const UNION_MEMBERS_MAX: usize = 32;

/// Refuses a schema that arrow-ipc would panic on, or that has no columns. Unions of plain values pass only where they are asked for.
pub(super) fn check_schema(schema: Schema<'_>, takes_unions: bool) -> Result<(), String> {
    if schema.endianness() != Endianness::Little {
        return Err("the schema declares big-endian data; send little-endian".to_owned());
    }
    let fields = schema.fields().ok_or("the schema message has no field list")?;
    if fields.is_empty() {
        return Err("the schema has no columns".to_owned());
    }
    let mut seen = 0;
    let mut others = fields.iter().filter(|field| !(takes_unions && is_plain_union(*field)));
    others.try_for_each(|field| check_field(field, 1, &mut seen))
}

fn check_field(field: Field<'_>, depth: usize, seen: &mut usize) -> Result<(), String> {
    *seen += 1;
    if depth > DEPTH_MAX || *seen > FIELDS_MAX {
        return Err(format!(
            "the schema is nested deeper than {DEPTH_MAX} levels or has more than {FIELDS_MAX} fields"
        ));
    }
    let name = field.name().unwrap_or_default();
    if let Some(dictionary) = field.dictionary() {
        let index_ok =
            dictionary.indexType().is_some_and(|index| is_width(index.bitWidth(), &[8, 16, 32, 64]));
        if !index_ok || field.children().is_some_and(|children| !children.is_empty()) {
            return Err(format!("column '{name}': the dictionary encoding is not one that is accepted"));
        }
    }
    if !parameters_ok(field) {
        let kind = field.type_type().variant_name().unwrap_or("of an unknown kind");
        return Err(format!("column '{name}': Arrow type {kind} is not accepted, or its parameters are not"));
    }
    field.children().into_iter().flatten().try_for_each(|child| check_field(child, depth + 1, seen))
}

/// Whether type and parameters are among those that the conversion knows.
fn parameters_ok(field: Field<'_>) -> bool {
    let child_count = field.children().map_or(0, |children| children.len());
    match field.type_type() {
        Type::Null | Type::Bool | Type::Utf8 | Type::LargeUtf8 | Type::Utf8View => true,
        Type::Binary | Type::LargeBinary | Type::BinaryView | Type::Struct_ => true,
        Type::Int => field.type_as_int().is_some_and(|int| is_width(int.bitWidth(), &[8, 16, 32, 64])),
        Type::FloatingPoint => field.type_as_floating_point().is_some_and(|float| {
            [Precision::HALF, Precision::SINGLE, Precision::DOUBLE].contains(&float.precision())
        }),
        Type::Date => field
            .type_as_date()
            .is_some_and(|date| [DateUnit::DAY, DateUnit::MILLISECOND].contains(&date.unit())),
        Type::Time => field.type_as_time().is_some_and(|time| {
            let coarse = [TimeUnit::SECOND, TimeUnit::MILLISECOND].contains(&time.unit());
            is_unit(time.unit()) && time.bitWidth() == if coarse { 32 } else { 64 }
        }),
        Type::Timestamp => field.type_as_timestamp().is_some_and(|time| is_unit(time.unit())),
        Type::Duration => field.type_as_duration().is_some_and(|time| is_unit(time.unit())),
        Type::Interval => field.type_as_interval().is_some_and(|interval| {
            [IntervalUnit::YEAR_MONTH, IntervalUnit::DAY_TIME, IntervalUnit::MONTH_DAY_NANO]
                .contains(&interval.unit())
        }),
        Type::Decimal => field.type_as_decimal().is_some_and(|decimal| {
            (1..=76).contains(&decimal.precision())
                && (-76..=76).contains(&decimal.scale())
                && is_width(decimal.bitWidth(), &[32, 64, 128, 256])
        }),
        Type::List | Type::LargeList => child_count == 1,
        Type::Map => field.type_as_map().is_some() && has_entries(field),
        _ => false,
    }
}

/// A map has one child, a struct of key and value.
fn has_entries(field: Field<'_>) -> bool {
    let children = field.children().unwrap_or_default();
    children.len() == 1 && {
        let entries = children.get(0);
        entries.type_type() == Type::Struct_ && entries.children().is_some_and(|pair| pair.len() == 2)
    }
}

/// Whether a field is a union whose members are values without structure, so that it holds no more than was sent.
fn is_plain_union(field: Field<'_>) -> bool {
    let Some(union) = field.type_as_union() else { return false };
    let members = field.children().unwrap_or_default();
    let ids: Vec<i32> = union.typeIds().into_iter().flatten().collect();
    let ids_ok =
        ids.iter().enumerate().all(|(index, id)| (0..128).contains(id) && !ids[..index].contains(id));
    let is_plain = |member: Field<'_>| {
        let held_once = !matches!(
            member.type_type(),
            Type::Utf8View | Type::BinaryView | Type::Struct_ | Type::List | Type::LargeList | Type::Map
        );
        held_once && member.dictionary().is_none() && parameters_ok(member)
    };
    [UnionMode::Sparse, UnionMode::Dense].contains(&union.mode())
        && (1..=UNION_MEMBERS_MAX).contains(&members.len())
        && ids_ok
        && (ids.is_empty() || ids.len() == members.len())
        && field.dictionary().is_none()
        && members.iter().all(is_plain)
}

fn is_unit(unit: TimeUnit) -> bool {
    [TimeUnit::SECOND, TimeUnit::MILLISECOND, TimeUnit::MICROSECOND, TimeUnit::NANOSECOND].contains(&unit)
}

fn is_width(width: i32, known: &[i32]) -> bool {
    known.contains(&width)
}
