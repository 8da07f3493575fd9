//! Parameters of table functions, `generate_series(?, ?, INTERVAL '1 hour')`: DataFusion calls such a function while it plans, before there
//! are values. Here the values are written into the statement, and the statement is planned for each run.

use std::collections::BTreeMap;

use arrow::{
    compute::kernels::cast_utils::parse_interval_month_day_nano,
    datatypes::{DataType, TimeUnit},
};
use datafusion::{
    common::{ScalarValue, plan_err},
    error::Result,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, TableFactor, Value},
    },
};

use super::{
    dialect::HexflightDialect,
    walk::{Change, any_expression, change, change_expressions},
};
use crate::functions::whole_moment;

/// Types of parameters by their numbers, from 1.
pub(crate) type SeriesParameters = BTreeMap<usize, DataType>;

/// Writes values, or nulls while there are none, in the place of parameters of table functions. Gives the parameters it has found.
///
/// # Errors
/// `Plan` for a value that no table function takes.
pub(super) fn bind_series(
    statement: &mut Statement,
    values: Option<&[ScalarValue]>,
) -> Result<SeriesParameters> {
    let mut binding = Binding { values, found: SeriesParameters::new() };
    change(statement, &mut binding)?;
    Ok(binding.found)
}

struct Binding<'a> {
    values: Option<&'a [ScalarValue]>,
    found: SeriesParameters,
}

impl Change for Binding<'_> {
    fn table_factor(&mut self, table: &mut TableFactor) -> Result<()> {
        let arguments = match table {
            TableFactor::Table { args: Some(function), .. } => &mut function.args,
            TableFactor::Function { args, .. } => args,
            _ => return Ok(()),
        };
        self.bind(arguments)
    }
}

impl Binding<'_> {
    /// Steps of time are between moments, all other steps between numbers.
    fn bind(&mut self, arguments: &mut [FunctionArg]) -> Result<()> {
        let of_time =
            arguments.get(2).is_some_and(|step| is_interval(step) || self.is_bound_to_interval(step));
        for (index, argument) in arguments.iter_mut().enumerate() {
            let data_type = match (of_time, index) {
                (true, 2) => DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
                (true, _) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                (false, _) => DataType::Int64,
            };
            let factors = factors(argument);
            change_expressions(argument, &mut |expression| {
                let Some(number) = parameter(expression) else {
                    complete_moment(expression);
                    return Ok(());
                };
                let data_type = if factors.contains(&number) { &DataType::Int64 } else { &data_type };
                self.found.insert(number, data_type.clone());
                let value = self.values.map(|values| values.get(number - 1).unwrap_or(&ScalarValue::Null));
                *expression = written(value, data_type, number)?;
                Ok(())
            })?;
        }
        Ok(())
    }

    fn is_bound_to_interval(&self, step: &FunctionArg) -> bool {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(step)) = step else { return false };
        let value = parameter(step).and_then(|number| self.values?.get(number - 1));
        value.is_some_and(|value| match value.try_as_str() {
            Some(Some(text)) => parse_interval_month_day_nano(text).is_ok() && text.parse::<i64>().is_err(),
            _ => matches!(value.data_type(), DataType::Interval(_)),
        })
    }
}

/// Whether a step is one of time: an interval, perhaps times a number, or a cast to one.
pub(super) fn is_interval(argument: &FunctionArg) -> bool {
    any_expression(argument, &mut |part| matches!(part, Expr::Interval(_)))
        || argument.to_string().to_lowercase().ends_with("interval")
}

/// Numbers of the parameters that something is multiplied or divided by, as in `now() - ? * INTERVAL '1 hour'`.
fn factors(argument: &FunctionArg) -> Vec<usize> {
    let mut factors = vec![];
    any_expression(argument, &mut |part| {
        if let Expr::BinaryOp { left, op: BinaryOperator::Multiply | BinaryOperator::Divide, right } = part {
            factors.extend([left, right].into_iter().filter_map(|side| parameter(side)));
        }
        false
    });
    factors
}

/// `TIMESTAMP '2025-06-01 18:00'` gets its seconds here: the rule for that runs after a table function was called.
fn complete_moment(expression: &mut Expr) {
    let (value, is_typed) = match expression {
        Expr::Value(value) => (&mut value.value, false),
        Expr::TypedString(text) => (&mut text.value.value, true),
        _ => return,
    };
    if let Value::SingleQuotedString(text) = value
        && (is_typed || text.trim_start().starts_with(|first: char| first.is_ascii_digit()))
    {
        *text = whole_moment(text).into_owned();
    }
}

/// The number of a parameter.
fn parameter(expression: &Expr) -> Option<usize> {
    let Expr::Value(value) = expression else { return None };
    let Value::Placeholder(name) = &value.value else { return None };
    name.strip_prefix('$')?.parse().ok().filter(|number| *number > 0)
}

/// A value as a literal of its type.
fn written(value: Option<&ScalarValue>, data_type: &DataType, number: usize) -> Result<Expr> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return literal(&format!("arrow_cast(NULL, '{}')", arrow_name(data_type)));
    };
    if let Some(Some(text)) = value.try_as_str() {
        let quoted = whole_moment(text).replace('\'', "''");
        return literal(&match data_type {
            DataType::Interval(_) => format!("INTERVAL '{quoted}'"),
            DataType::Int64 => format!("CAST('{quoted}' AS BIGINT)"),
            _ => format!("CAST('{quoted}' AS TIMESTAMPTZ)"),
        });
    }
    match (value.data_type(), data_type) {
        (from, DataType::Timestamp(..)) if from.is_temporal() => {
            let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
            match value.cast_to(&nanoseconds)? {
                ScalarValue::TimestampNanosecond(Some(moment), _) => {
                    literal(&format!("arrow_cast({moment}, '{}')", arrow_name(&nanoseconds)))
                }
                _ => plan_err!("parameter ${number}: {value} is out of the range of a series"),
            }
        }
        (from, DataType::Int64) if from.is_integer() => literal(&value.to_string()),
        (DataType::Interval(_), DataType::Interval(_)) => literal(&format!("INTERVAL '{value}'")),
        (from, _) => plan_err!("parameter ${number}: a series takes {data_type}, {from} was given"),
    }
}

fn arrow_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(..) => "Timestamp(Nanosecond, Some(\"UTC\"))".to_owned(),
        DataType::Interval(_) => "Interval(MonthDayNano)".to_owned(),
        other => other.to_string(),
    }
}

fn literal(text: &str) -> Result<Expr> {
    let mut parser = DFParserBuilder::new(text).with_dialect(&HexflightDialect).build()?;
    Ok(parser.parser.parse_expr()?)
}
