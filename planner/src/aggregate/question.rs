//! `Question`: what an aggregate over the scan asks, if it is of the kind that rollups and decoded columns answer.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    common::ScalarValue,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        aggregate::AggregateFunctionExpr,
        expressions::{CastExpr, Literal},
    },
    physical_plan::aggregates::AggregateExec,
};
use hexflight_engine::TableRole;

use crate::{
    predicate::Facts,
    roles::{is_role, role_of},
};

/// What rows are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum GroupKey {
    /// The type.
    Type,
    /// The device.
    Device,
    /// The parent cell at a resolution.
    Cell(u8),
    /// The interval of time that a row falls into.
    Bin(Bin),
}

/// Intervals of equal width. **Units**: µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bin {
    pub(super) width: i64,
    /// Start of one of them, since 1970.
    pub(super) origin: i64,
}

impl Bin {
    /// Start of the interval that holds a moment.
    pub(super) fn start_of(self, time: i64) -> i64 {
        time - (time - self.origin).rem_euclid(self.width)
    }

    /// Whether whole minutes make up each interval.
    pub(super) fn is_of_minutes(self) -> bool {
        self.width % MINUTE_MICROS == 0 && self.origin % MINUTE_MICROS == 0
    }
}

/// What is computed of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Measure {
    Count,
    Sum,
    Average,
    Min,
    Max,
    /// The value of the newest row.
    Last,
}

/// **Units**: µs.
pub(super) const MINUTE_MICROS: i64 = 60_000_000;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Which rows: the whole predicate of the scan.
    pub(super) facts: Facts,
    pub(super) keys: Vec<GroupKey>,
    pub(super) measures: Vec<Measure>,
}

impl Question {
    /// What `aggregate`, whose input is the scan, asks of the rows that `facts` describe. `None`: something else.
    pub(crate) fn of(aggregate: &AggregateExec, facts: Facts, cell_resolution: u8) -> Option<Self> {
        let group_by = aggregate.group_expr();
        if !facts.is_all || group_by.has_grouping_set() || aggregate.filter_expr().iter().any(Option::is_some)
        {
            return None;
        }
        let keys: Vec<_> = group_by
            .expr()
            .iter()
            .map(|(expr, _)| group_key(expr, cell_resolution))
            .collect::<Option<_>>()?;
        let measures =
            aggregate.aggr_expr().iter().map(|function| measure(function)).collect::<Option<_>>()?;
        // Two bins would need two numbers per row; nobody asks for that.
        let bins = keys.iter().filter(|key| matches!(key, GroupKey::Bin(_))).count();
        let cells = keys.iter().filter(|key| matches!(key, GroupKey::Cell(_))).count();
        (bins <= 1 && cells <= 1).then_some(Self { facts, keys, measures })
    }

    pub(super) fn bin(&self) -> Option<Bin> {
        self.keys.iter().find_map(|key| if let GroupKey::Bin(bin) = key { Some(*bin) } else { None })
    }

    pub(super) fn cell_resolution(&self) -> Option<u8> {
        self.keys
            .iter()
            .find_map(|key| if let GroupKey::Cell(resolution) = key { Some(*resolution) } else { None })
    }

    pub(super) fn by_device(&self) -> bool {
        self.keys.contains(&GroupKey::Device)
    }

    pub(super) fn by_type(&self) -> bool {
        self.keys.contains(&GroupKey::Type)
    }

    pub(super) fn wants_last(&self) -> bool {
        self.measures.contains(&Measure::Last)
    }

    /// Whether nothing but the newest rows of given devices, or of all of them together, is wanted.
    pub(super) fn only_wants_newest(&self) -> bool {
        let one_row_each =
            self.keys.is_empty() || (self.keys == [GroupKey::Device] && self.facts.devices.is_some());
        one_row_each
            && !self.measures.is_empty()
            && self.measures.iter().all(|measure| *measure == Measure::Last)
    }

    /// Whether nothing but the newest row of every device is wanted.
    pub(super) fn wants_newest_of_each(&self) -> bool {
        self.keys == [GroupKey::Device]
            && !self.measures.is_empty()
            && self.measures.iter().all(|measure| *measure == Measure::Last)
    }

    /// Whether any measure looks at values.
    pub(super) fn wants_values(&self) -> bool {
        self.measures.iter().any(|measure| *measure != Measure::Count)
    }

    /// Whether any measure looks at what values add up to.
    pub(super) fn wants_sums(&self) -> bool {
        self.measures.iter().any(|measure| matches!(measure, Measure::Sum | Measure::Average))
    }

    /// Tells questions apart that differ in anything but the window and the measures.
    pub(super) fn fingerprint(&self) -> u128 {
        let half = |salt: u64| {
            let mut hasher = std::hash::DefaultHasher::new();
            salt.hash(&mut hasher);
            (&self.facts.types, &self.facts.devices, &self.keys).hash(&mut hasher);
            format!("{:?}", self.facts.areas).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        (half(0) << 64) | half(1)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        let measures: Vec<String> =
            self.measures.iter().map(|measure| format!("{measure:?}").to_lowercase()).collect();
        write!(f, "group=[{}], aggregates=[{}]", keys.join(", "), measures.join(", "))
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("type"),
            Self::Device => f.write_str("device_id"),
            Self::Cell(resolution) => write!(f, "h3 parent {resolution}"),
            Self::Bin(bin) => write!(f, "{} s", bin.width as f64 / 1e6),
        }
    }
}

fn group_key(expr: &Arc<dyn PhysicalExpr>, cell_resolution: u8) -> Option<GroupKey> {
    match role_of(expr) {
        Some(TableRole::Type) => return Some(GroupKey::Type),
        Some(TableRole::Device) => return Some(GroupKey::Device),
        Some(TableRole::Cell) => return Some(GroupKey::Cell(cell_resolution)),
        _ => {}
    }
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    match (call.name(), call.args()) {
        ("h3_cell_to_parent", [cell, resolution]) if is_role(cell, TableRole::Cell) => {
            let resolution = u8::try_from(
                literal(resolution)?.cast_to(&arrow::datatypes::DataType::Int64).ok().and_then(int)?,
            );
            resolution.ok().filter(|resolution| *resolution <= cell_resolution).map(GroupKey::Cell)
        }
        ("date_bin", [width, time]) if is_time(time) => {
            Some(GroupKey::Bin(Bin { width: interval_micros(literal(width)?)?, origin: 0 }))
        }
        ("date_trunc", [unit, time]) if is_time(time) => {
            unit_bin(literal(unit)?.try_as_str()??).map(GroupKey::Bin)
        }
        _ => None,
    }
}

fn unit_bin(unit: &str) -> Option<Bin> {
    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    let bin = |width| Some(Bin { width, origin: 0 });
    match unit.to_ascii_lowercase().as_str() {
        "second" => bin(SECOND),
        "minute" => bin(60 * SECOND),
        "hour" => bin(3_600 * SECOND),
        "day" => bin(DAY),
        // The fifth day of 1970 was a Monday.
        "week" => Some(Bin { width: 7 * DAY, origin: 4 * DAY }),
        _ => None,
    }
}

/// Months have no fixed width.
fn interval_micros(width: &ScalarValue) -> Option<i64> {
    let ScalarValue::IntervalMonthDayNano(Some(width)) = width else { return None };
    let nanos = i128::from(width.days) * 86_400_000_000_000 + i128::from(width.nanoseconds);
    let micros = i64::try_from(nanos / 1_000).ok()?;
    (width.months == 0 && nanos % 1_000 == 0 && micros > 0).then_some(micros)
}

fn measure(function: &AggregateFunctionExpr) -> Option<Measure> {
    let args = function.expressions();
    let [arg] = args.as_slice() else { return None };
    let of_value = is_role(arg, TableRole::Value);
    let is_plain = !function.is_distinct() && function.order_bys().is_empty();
    match function.fun().name() {
        "count" if is_plain && counts_rows(arg) => Some(Measure::Count),
        "sum" if is_plain && of_value => Some(Measure::Sum),
        "avg" if is_plain && of_value => Some(Measure::Average),
        "min" if is_plain && of_value => Some(Measure::Min),
        "max" if is_plain && of_value => Some(Measure::Max),
        name @ ("last_value" | "first_value") if of_value && is_newest(function, name == "first_value") => {
            Some(Measure::Last)
        }
        _ => None,
    }
}

/// The last in order of time, or the first in the other order.
fn is_newest(function: &AggregateFunctionExpr, descending: bool) -> bool {
    let [order] = function.order_bys() else { return false };
    let by_time = is_role(&order.expr, TableRole::Time) && order.options.descending == descending;
    by_time && !function.is_distinct() && !function.is_reversed()
}

/// A constant, or a column without nulls.
fn counts_rows(arg: &Arc<dyn PhysicalExpr>) -> bool {
    literal(arg).is_some_and(|value| !value.is_null()) || role_of(arg).is_some_and(TableRole::is_required)
}

/// The column itself, or made finer: `date_bin` counts nanoseconds.
fn is_time(expr: &Arc<dyn PhysicalExpr>) -> bool {
    use arrow::datatypes::{DataType, TimeUnit};
    let finer = |cast: &CastExpr| {
        is_role(cast.expr(), TableRole::Time)
            && matches!(cast.cast_type(), DataType::Timestamp(TimeUnit::Nanosecond | TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC")
    };
    is_role(expr, TableRole::Time) || expr.downcast_ref::<CastExpr>().is_some_and(finer)
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.downcast_ref::<Literal>().map(Literal::value)
}

fn int(value: ScalarValue) -> Option<i64> {
    if let ScalarValue::Int64(value) = value { value } else { None }
}
