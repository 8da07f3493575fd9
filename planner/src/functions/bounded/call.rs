//! `Bounded`: a function whose result is known to be within [`Bounds`] before it is built. In all else it is the function itself.

use std::{
    hash::{Hash, Hasher},
    ops::Range,
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef},
    compute::concat,
    datatypes::{DataType, FieldRef},
};
use datafusion::{
    common::{
        ScalarValue, exec_err,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    error::Result,
    execution::memory_pool::MemoryReservation,
    logical_expr::{
        ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs,
        ScalarUDF, ScalarUDFImpl, Signature, StructFieldMapping,
        interval_arithmetic::Interval,
        preimage::PreimageResult,
        simplify::{ExprSimplifyResult, SimplifyContext},
        sort_properties::{ExprProperties, SortProperties},
    },
};

use super::{
    bounds::{Bounds, count},
    growth::{Growth, growth_of},
    held::hold,
    measure::{Argument, scalar_bytes},
    pieces::Pieces,
};
use crate::turn::{is_planning, piece};

/// The function within bounds; as it is if it builds no more than it is given.
pub(crate) fn bounded(function: &Arc<ScalarUDF>, bounds: &Arc<Bounds>) -> Arc<ScalarUDF> {
    match growth_of(function.name()) {
        Some(growth) if is_unbounded(function) => {
            let (inner, bounds) = (Arc::clone(function), Arc::clone(bounds));
            Arc::new(ScalarUDF::new_from_impl(Bounded { inner, growth, bounds }))
        }
        _ => Arc::clone(function),
    }
}

/// Whether a function is one of these.
pub(crate) fn is_bounded(function: &ScalarUDF) -> bool {
    function.inner().is::<Bounded>()
}

/// Whether a function can grow and is none of these.
pub(crate) fn is_unbounded(function: &ScalarUDF) -> bool {
    growth_of(function.name()).is_some() && !is_bounded(function)
}

#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: &'static Growth,
    bounds: Arc<Bounds>,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl Bounded {
    /// A constant is one value however many rows it is for.
    fn constant(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = args.args.iter().map(Argument::of).collect::<Result<Vec<_>>>()?;
        let most = Pieces::of(self.growth, &self.bounds, &arguments, 1)?.bytes;
        drop(arguments);
        let (rows, is_planning) = (args.number_rows, is_planning());
        if is_planning && most > self.bounds.folded_bytes().saturating_mul(self.growth.excess()) {
            return self.later(most);
        }
        let reservation = self.bounds.reserve(self.name(), rows, most)?;
        let value = piece(|| self.inner.invoke_with_args(ScalarFunctionArgs { number_rows: 1, ..args }))?;
        if most <= self.bounds.folded_bytes() {
            return Ok(value);
        }
        let bytes = match &value {
            ColumnarValue::Scalar(scalar) => scalar_bytes(scalar),
            array @ ColumnarValue::Array(_) => Argument::of(array)?.at(0).bytes,
        };
        if bytes <= self.bounds.folded_bytes() {
            return Ok(value);
        }
        if is_planning {
            return self.later(bytes);
        }
        drop(reservation);
        self.repeated(value, bytes, rows)
    }

    /// DataFusion leaves a constant as it is written when it cannot be computed while a query is planned.
    fn later(&self, bytes: u64) -> Result<ColumnarValue> {
        exec_err!("{}: {bytes} bytes are not made while a query is planned", self.name())
    }

    fn repeated(&self, value: ColumnarValue, bytes: u64, rows: usize) -> Result<ColumnarValue> {
        let all_bytes = bytes.saturating_mul(count(rows));
        self.bounds.check_batch(self.name(), rows, all_bytes)?;
        let reservation = self.bounds.reserve(self.name(), rows, all_bytes)?;
        let column = match value {
            ColumnarValue::Array(array) if rows == array.len() => array,
            ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?.to_array_of_size(rows)?,
            ColumnarValue::Scalar(scalar) => scalar.to_array_of_size(rows)?,
        };
        kept(column, reservation)
    }

    fn column(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = args.args.iter().map(Argument::of).collect::<Result<Vec<_>>>()?;
        let pieces = Pieces::of(self.growth, &self.bounds, &arguments, args.number_rows)?;
        drop(arguments);
        let rows = args.number_rows;
        let reservation = self.bounds.reserve(self.name(), rows, pieces.bytes)?;
        let value = match pieces.ranges.as_slice() {
            [] => self.inner.invoke_with_args(args)?,
            [_] => piece(|| self.inner.invoke_with_args(args))?,
            ranges => ColumnarValue::Array(self.piecewise(&args, ranges)?),
        };
        match (value, reservation) {
            (value, None) => Ok(value),
            (value, reservation) => kept(value.into_array(rows)?, reservation),
        }
    }

    fn piecewise(&self, args: &ScalarFunctionArgs, ranges: &[Range<usize>]) -> Result<ArrayRef> {
        let (mut built, mut bytes) = (Vec::with_capacity(ranges.len()), 0);
        for range in ranges {
            let part =
                piece(|| self.inner.invoke_with_args(part_of(args, range)))?.into_array(range.len())?;
            if !self.growth.is_exact {
                bytes += Argument::of(&ColumnarValue::Array(Arc::clone(&part)))?.all_bytes();
                self.bounds.check_batch(self.name(), args.number_rows, bytes)?;
            }
            built.push(part);
        }
        let parts: Vec<&dyn Array> = built.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    }
}

fn part_of(args: &ScalarFunctionArgs, rows: &Range<usize>) -> ScalarFunctionArgs {
    let cut = |value: &ColumnarValue| match value {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(rows.start, rows.len())),
        ColumnarValue::Scalar(scalar) => ColumnarValue::Scalar(scalar.clone()),
    };
    ScalarFunctionArgs { args: args.args.iter().map(cut).collect(), number_rows: rows.len(), ..args.clone() }
}

/// A result that is reserved as long as it lives, if it turned out to be large. Builders keep up to twice of what they need; what is more
/// than that belongs to the arguments.
fn kept(column: ArrayRef, reservation: Option<MemoryReservation>) -> Result<ColumnarValue> {
    let Some(reservation) = reservation else { return Ok(ColumnarValue::Array(column)) };
    let bytes = column.get_buffer_memory_size();
    if !Bounds::is_column_reserved(column.len(), count(bytes)) {
        return Ok(ColumnarValue::Array(column));
    }
    reservation.try_resize(bytes.min(reservation.size().saturating_mul(2)))?;
    Ok(ColumnarValue::Array(hold(&column, reservation)?))
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        let (growth, bounds) = (self.growth, Arc::clone(&self.bounds));
        Some(ScalarUDF::new_from_impl(Self { inner, growth, bounds }))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
        if args.args.is_empty() {
            self.inner.invoke_with_args(args)
        } else if args.args.iter().all(is_constant) {
            self.constant(args)
        } else {
            self.column(args)
        }
    }

    /// What a function is simplified to can be one of these, too.
    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // It would become an operator, which has no bounds for a pattern of each row.
        if self.inner.name() == "regexp_like" && !matches!(args.get(1), Some(Expr::Literal(..))) {
            return Ok(ExprSimplifyResult::Original(args));
        }
        Ok(match self.inner.simplify(args, info)? {
            ExprSimplifyResult::Simplified(simpler) => {
                let simpler = simpler.transform_up(|part| Ok(bounded_call(part, &self.bounds)))?;
                ExprSimplifyResult::Simplified(simpler.data)
            }
            original @ ExprSimplifyResult::Original(_) => original,
        })
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.inner.preimage(args, literal, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(inputs)
    }

    fn propagate_constraints(
        &self,
        interval: &Interval,
        inputs: &[&Interval],
    ) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(inputs)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn struct_field_mapping(&self, literals: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.inner.struct_field_mapping(literals)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }
}

/// A call of a function that can grow as one of these.
pub(crate) fn bounded_call(part: Expr, bounds: &Arc<Bounds>) -> Transformed<Expr> {
    match part {
        Expr::ScalarFunction(mut call) if is_unbounded(&call.func) => {
            call.func = bounded(&call.func, bounds);
            Transformed::yes(Expr::ScalarFunction(call))
        }
        other => Transformed::no(other),
    }
}
