//! `JsonValues`: what `->` gives is compared and computed with as the value that it is: numbers with numbers, whether they are
//! written with a fraction or not, strings with text, booleans with booleans. A value of another kind is unknown. DataFusion takes the
//! member of the union that has the literal's type, so `metadata->'n' < 20` saw whole numbers only.

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, ExprSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{
        Between, BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, SortExpr, cast,
        expr::{InList, InSubquery, Like},
        lit, not,
    },
};
use datafusion_functions_json::{
    JSON_UNION_DATA_TYPE,
    udfs::{json_get_json_udf, json_get_str_udf},
};

use super::{comparison::is_comparison, mend::Mend};
use crate::functions::{json_boolean, json_compare, json_number, json_string};

/// Whole numbers below this are the same as doubles.
const EXACT_MAX: i128 = 1 << 53;

/// Reads JSON values as what they are compared with. Runs before types are brought together.
#[derive(Debug)]
pub(super) struct JsonValues;

impl Mend for JsonValues {
    fn concerns(&self, part: &Expr) -> bool {
        matches!(part, Expr::ScalarFunction(call) if call.func.name() == "json_get")
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        expression.transform_up(|part| {
            let mended = match &part {
                Expr::BinaryExpr(BinaryExpr { left, op, right }) => binary(left, *op, right, schema),
                Expr::Between(between) => range(between, schema),
                Expr::InList(list) => one_of(list, schema),
                Expr::Like(like) => pattern(like, schema).map(Expr::Like),
                Expr::SimilarTo(like) => pattern(like, schema).map(Expr::SimilarTo),
                Expr::Case(case) => choice(case, schema),
                Expr::InSubquery(membership) => member(membership, schema),
                _ => None,
            };
            Ok(mended.map_or_else(|| Transformed::no(part), Transformed::yes))
        })
    }

    /// Numbers in order before strings in order.
    fn mend_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Sort(mut sort) = node else { return Ok(Transformed::no(node)) };
        let schema = sort.input.schema();
        if !sort.expr.iter().any(|key| Json::of(&key.expr, schema).is_some()) {
            return Ok(Transformed::no(LogicalPlan::Sort(sort)));
        }
        let keys = sort.expr.into_iter().flat_map(|key| match Json::of(&key.expr, schema) {
            Some(value) => [value.clone().number(), value.text()]
                .map(|expr| SortExpr { expr, asc: key.asc, nulls_first: key.nulls_first })
                .to_vec(),
            None => vec![key],
        });
        sort.expr = keys.collect();
        Ok(Transformed::yes(LogicalPlan::Sort(sort)))
    }
}

/// An expression that is a JSON value.
#[derive(Debug, Clone)]
enum Json {
    /// `json_get` with these arguments.
    Look(Vec<Expr>),
    /// A column of a subquery, or anything else that gives the union.
    Value(Expr),
}

impl Json {
    fn of(expression: &Expr, schema: &DFSchema) -> Option<Self> {
        let is_union = |data_type: &DataType| *data_type == *JSON_UNION_DATA_TYPE;
        let whole = match expression {
            Expr::Alias(alias) => return Self::of(&alias.expr, schema),
            Expr::ScalarFunction(call) if call.func.name() == "json_get" => {
                return Some(Self::Look(call.args.clone()));
            }
            Expr::Column(column) => is_union(schema.field_from_column(column).ok()?.data_type()),
            Expr::OuterReferenceColumn(field, _) => is_union(field.data_type()),
            Expr::ScalarFunction(_) | Expr::Case(_) | Expr::ScalarSubquery(_) => {
                is_union(&expression.get_type(schema).ok()?)
            }
            _ => false,
        };
        whole.then(|| Self::Value(expression.clone()))
    }

    /// Itself, for `json_number` and kin.
    fn raw(self) -> Expr {
        match self {
            Self::Look(args) => json_get_json_udf().call(args),
            Self::Value(value) => value,
        }
    }

    fn number(self) -> Expr {
        json_number(self.raw())
    }

    fn text(self) -> Expr {
        match self {
            Self::Look(args) => json_get_str_udf().call(args),
            Self::Value(value) => json_string(value),
        }
    }

    /// A string "true" is no boolean.
    fn boolean(self) -> Expr {
        json_boolean(self.raw())
    }

    /// As what it is to be next to `other`; `None` if there is no such reading.
    fn beside(self, other: &Expr, schema: &DFSchema) -> Option<Expr> {
        Some(match Kind::of(other, schema)? {
            Kind::Number | Kind::Whole => self.number(),
            Kind::Text | Kind::Moment => self.text(),
            Kind::Boolean => self.boolean(),
        })
    }
}

/// Of what kind a SQL value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    /// Whole numbers that a double may not hold.
    Whole,
    Text,
    Boolean,
    Moment,
}

impl Kind {
    fn of(value: &Expr, schema: &DFSchema) -> Option<Self> {
        let data_type = value.get_type(schema).ok()?;
        Some(match &data_type {
            whole if whole.is_integer() => match value {
                Expr::Literal(value, _) if is_small(value) => Self::Number,
                _ => Self::Whole,
            },
            number if number.is_numeric() => Self::Number,
            text if text.is_string() => Self::Text,
            DataType::Boolean => Self::Boolean,
            moment if moment.is_temporal() => Self::Moment,
            _ => return None,
        })
    }
}

fn is_small(value: &ScalarValue) -> bool {
    let whole = match value.cast_to(&DataType::Decimal128(38, 0)) {
        Ok(ScalarValue::Decimal128(Some(whole), ..)) => whole,
        _ => return value.is_null(),
    };
    whole.abs() < EXACT_MAX
}

fn binary(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    use Operator::{
        Divide, ILikeMatch, LikeMatch, Minus, Modulo, Multiply, NotILikeMatch, NotLikeMatch, Plus,
        RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch,
    };
    let sides = || (Json::of(left, schema), Json::of(right, schema));
    match op {
        op if is_comparison(op) => compared(left, op, right, sides(), schema),
        Plus | Minus | Multiply | Divide | Modulo => match sides() {
            (None, None) => None,
            (left_json, right_json) => {
                let number =
                    |json: Option<Json>, side: &Expr| json.map_or_else(|| side.clone(), Json::number);
                let (left, right) = (number(left_json, left), number(right_json, right));
                Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
            }
        },
        RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch | LikeMatch | ILikeMatch | NotLikeMatch
        | NotILikeMatch => {
            let left = Json::of(left, schema)?.text();
            Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right.clone()))))
        }
        _ => None,
    }
}

fn compared(
    left: &Expr,
    op: Operator,
    right: &Expr,
    sides: (Option<Json>, Option<Json>),
    schema: &DFSchema,
) -> Option<Expr> {
    match sides {
        (Some(left), Some(right)) => Some(by_sign(left.raw(), op, right.raw())),
        (Some(json), None) => beside(json, op, right, schema),
        (None, Some(json)) => beside(json, op.swap()?, left, schema),
        (None, None) => None,
    }
}

/// `json op other`.
fn beside(json: Json, op: Operator, other: &Expr, schema: &DFSchema) -> Option<Expr> {
    if Kind::of(other, schema)? == Kind::Whole {
        let other = match other.get_type(schema).ok()? {
            DataType::UInt64 => other.clone(),
            _ => cast(other.clone(), DataType::Int64),
        };
        return Some(by_sign(json.raw(), op, other));
    }
    let json = json.beside(other, schema)?;
    Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(json), op, Box::new(other.clone()))))
}

/// `json op other` by the sign of their difference.
fn by_sign(json: Expr, op: Operator, other: Expr) -> Expr {
    let sign = |op| {
        let sign = json_compare(json.clone(), other.clone());
        Expr::BinaryExpr(BinaryExpr::new(Box::new(sign), op, Box::new(lit(0_i64))))
    };
    let both_null = || json.clone().is_null().and(other.clone().is_null());
    match op {
        Operator::IsDistinctFrom => sign(op).and(not(both_null())),
        Operator::IsNotDistinctFrom => sign(op).or(both_null()),
        op => sign(op),
    }
}

fn range(between: &Between, schema: &DFSchema) -> Option<Expr> {
    let Between { expr, negated, low, high } = between;
    let json = Json::of(expr, schema);
    if let Some(json) = &json {
        let kinds = [Kind::of(low, schema), Kind::of(high, schema)];
        if kinds[0] == kinds[1] && kinds[0].is_some_and(|kind| kind != Kind::Whole) {
            let json = Box::new(json.clone().beside(low, schema)?);
            return Some(Expr::Between(Between::new(json, *negated, low.clone(), high.clone())));
        }
    }
    if json.is_none() && [low, high].iter().all(|bound| Json::of(bound, schema).is_none()) {
        return None;
    }
    let compare = |op, bound: &Expr| {
        binary(expr, op, bound, schema)
            .unwrap_or_else(|| Expr::BinaryExpr(BinaryExpr::new(expr.clone(), op, Box::new(bound.clone()))))
    };
    Some(if *negated {
        compare(Operator::Lt, low).or(compare(Operator::Gt, high))
    } else {
        compare(Operator::GtEq, low).and(compare(Operator::LtEq, high))
    })
}

fn one_of(list: &InList, schema: &DFSchema) -> Option<Expr> {
    let InList { expr, list, negated } = list;
    let json = Json::of(expr, schema);
    if let Some(json) = &json {
        let kind = Kind::of(list.first()?, schema);
        let alike =
            list.iter().all(|item| Kind::of(item, schema) == kind && Json::of(item, schema).is_none());
        if alike && kind.is_some_and(|kind| kind != Kind::Whole) {
            return Some(json.clone().beside(list.first()?, schema)?.in_list(list.clone(), *negated));
        }
    }
    if json.is_none() && list.iter().all(|item| Json::of(item, schema).is_none()) {
        return None;
    }
    let equal = |item: &Expr| {
        binary(expr, Operator::Eq, item, schema).unwrap_or_else(|| expr.as_ref().clone().eq(item.clone()))
    };
    let any = list.iter().map(equal).reduce(Expr::or)?;
    Some(if *negated { not(any) } else { any })
}

fn pattern(like: &Like, schema: &DFSchema) -> Option<Like> {
    let text = Json::of(&like.expr, schema)?.text();
    Some(Like { expr: Box::new(text), ..like.clone() })
}

/// `json IN (SELECT …)`: as the kind of the one column.
fn member(membership: &InSubquery, schema: &DFSchema) -> Option<Expr> {
    let json = Json::of(&membership.expr, schema)?;
    let value = match membership.subquery.subquery.schema().fields().first()?.data_type() {
        number if number.is_numeric() => json.number(),
        text if text.is_string() => json.text(),
        DataType::Boolean => json.boolean(),
        _ => return None,
    };
    Some(Expr::InSubquery(InSubquery { expr: Box::new(value), ..membership.clone() }))
}

/// `CASE json WHEN …`, where all that it is compared with is of one kind.
fn choice(case: &Case, schema: &DFSchema) -> Option<Expr> {
    let json = Json::of(case.expr.as_ref()?, schema)?;
    let (first, _) = case.when_then_expr.first()?;
    let kind = Kind::of(first, schema)?;
    let alike = case.when_then_expr.iter().all(|(when, _)| Kind::of(when, schema) == Some(kind));
    let base = (alike && kind != Kind::Whole).then(|| json.beside(first, schema))??;
    Some(Expr::Case(Case { expr: Some(Box::new(base)), ..case.clone() }))
}
