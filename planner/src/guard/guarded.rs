//! `Guarded`: an AND or OR that, when evaluating all operands over a whole batch fails, gives each operand only the rows that the
//! others leave open, in whatever order succeeds. A row fails only if no operand that can be computed decides it. What does
//! not fail is computed exactly as DataFusion would, at its speed.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch},
    compute::{and_kleene, concat, not, or_kleene, prep_null_mask_filter},
    datatypes::{DataType, Schema},
};
use datafusion::{
    common::internal_datafusion_err,
    error::Result,
    logical_expr::{ColumnarValue, Operator},
    physical_expr::{PhysicalExpr, expressions::BinaryExpr},
};

/// See the module.
#[derive(Debug, Eq)]
pub(super) struct Guarded {
    conjunction: bool,
    operands: Vec<Arc<dyn PhysicalExpr>>,
    /// Whether null may be taken for false: so it is in a filter, outside of any NOT.
    null_is_false: bool,
    /// DataFusion's own form of the same.
    eager: Arc<dyn PhysicalExpr>,
}

impl Guarded {
    /// Joins at least one operand.
    ///
    /// # Errors
    /// `Internal` without operands.
    pub(super) fn try_new(
        conjunction: bool,
        operands: Vec<Arc<dyn PhysicalExpr>>,
        null_is_false: bool,
    ) -> Result<Self> {
        let operator = if conjunction { Operator::And } else { Operator::Or };
        let eager = operands
            .iter()
            .map(unguarded)
            .reduce(|left, right| Arc::new(BinaryExpr::new(left, operator, right)) as _);
        let eager = eager.ok_or_else(|| internal_datafusion_err!("{operator} without operands"))?;
        Ok(Self { conjunction, operands, null_is_false, eager })
    }

    /// Evaluates operands one by one, each over the rows that are open, until all are or none can be.
    fn decide(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let mut decided = BooleanArray::from(vec![self.conjunction; batch.num_rows()]);
        let mut pending: Vec<_> = self.operands.iter().collect();
        while !pending.is_empty() {
            let (mut failed, mut failure) = (vec![], None);
            let before = pending.len();
            for operand in pending {
                match self.with_operand(&decided, operand, batch) {
                    Ok(narrowed) => decided = narrowed,
                    Err(error) => {
                        failed.push(operand);
                        failure.get_or_insert(error);
                    }
                }
            }
            if let Some(error) = failure
                && failed.len() == before
            {
                return if batch.num_rows() > 1 { self.decide_halves(batch) } else { Err(error) };
            }
            pending = failed;
        }
        Ok(decided)
    }

    /// Two operands may guard each other in different rows.
    fn decide_halves(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let middle = batch.num_rows() / 2;
        let first = self.decide(&batch.slice(0, middle))?;
        let second = self.decide(&batch.slice(middle, batch.num_rows() - middle))?;
        Ok(concat(&[&first, &second])?.as_boolean().clone())
    }

    fn with_operand(
        &self,
        decided: &BooleanArray,
        operand: &Arc<dyn PhysicalExpr>,
        batch: &RecordBatch,
    ) -> Result<BooleanArray> {
        let value = operand.evaluate_selection(batch, &self.open(decided)?)?.into_array(batch.num_rows())?;
        let value = value
            .as_boolean_opt()
            .ok_or_else(|| internal_datafusion_err!("a condition of type {}", value.data_type()))?;
        Ok(if self.conjunction { and_kleene(decided, value)? } else { or_kleene(decided, value)? })
    }

    /// The rows whose answer a further operand can change.
    fn open(&self, decided: &BooleanArray) -> Result<BooleanArray> {
        Ok(match (self.conjunction, self.null_is_false) {
            (true, true) => true_rows(decided),
            (true, false) => not(&true_rows(&not(decided)?))?,
            (false, _) => not(&true_rows(decided))?,
        })
    }
}

/// Rows that are true; null is not.
fn true_rows(rows: &BooleanArray) -> BooleanArray {
    if rows.null_count() == 0 { rows.clone() } else { prep_null_mask_filter(rows) }
}

/// The form that fails early; what is guarded inside of it is guarded once it has failed.
fn unguarded(operand: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    match operand.downcast_ref::<Guarded>() {
        Some(guarded) => Arc::clone(&guarded.eager),
        None => Arc::clone(operand),
    }
}

impl PartialEq for Guarded {
    fn eq(&self, other: &Self) -> bool {
        self.conjunction == other.conjunction
            && self.null_is_false == other.null_is_false
            && self.operands == other.operands
    }
}

impl Hash for Guarded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.conjunction.hash(state);
        self.operands.hash(state);
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.eager, f)
    }
}

impl PhysicalExpr for Guarded {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.eager.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        match self.eager.evaluate(batch) {
            Ok(value) => Ok(value),
            Err(_) => Ok(ColumnarValue::Array(Arc::new(self.decide(batch)?) as ArrayRef)),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.operands.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self::try_new(self.conjunction, children, self.null_is_false)?))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.eager.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{BooleanBuilder, StringArray},
        datatypes::Field,
    };
    use datafusion::{
        common::ScalarValue,
        physical_expr::expressions::{cast, col, lit},
    };

    use super::*;

    /// The texts of two columns.
    type Row<'a> = (Option<&'a str>, Option<&'a str>);

    /// Columns `a` and `b`: `t` and `f` are booleans as text, anything else fails to be one.
    fn guarded(conjunction: bool, null_is_false: bool, rows: &[Row<'_>]) -> Result<String> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Utf8, true),
        ]));
        let text = |of: fn(&Row<'_>) -> Option<String>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<StringArray>())
        };
        let columns = vec![text(|row| row.0.map(str::to_owned)), text(|row| row.1.map(str::to_owned))];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let operand = |name| cast(col(name, &schema)?, &schema, DataType::Boolean);
        let guarded = Guarded::try_new(conjunction, vec![operand("a")?, operand("b")?], null_is_false)?;
        let value = guarded.evaluate(&batch)?.into_array(rows.len())?;
        Ok(value
            .as_boolean()
            .iter()
            .map(|value| value.map_or('n', |value| if value { 't' } else { 'f' }))
            .collect())
    }

    const T: Option<&str> = Some("t");
    const F: Option<&str> = Some("f");
    const BAD: Option<&str> = Some("bad");

    #[test]
    fn an_operand_is_computed_for_open_rows_alone_in_either_order() {
        assert_eq!(guarded(true, true, &[(T, T), (F, BAD), (T, F), (T, None)]).unwrap(), "tffn");
        assert_eq!(guarded(true, true, &[(T, T), (BAD, F), (F, T)]).unwrap(), "tff");
        assert_eq!(guarded(false, true, &[(T, BAD), (F, T), (F, F), (None, T)]).unwrap(), "ttft");
        assert_eq!(guarded(false, false, &[(BAD, T), (F, F), (F, None)]).unwrap(), "tfn");
    }

    #[test]
    fn operands_may_guard_each_other_row_by_row() {
        assert_eq!(guarded(true, true, &[(F, BAD), (BAD, F), (T, T), (T, F)]).unwrap(), "fftf");
        assert_eq!(guarded(false, false, &[(T, BAD), (BAD, T), (F, F)]).unwrap(), "ttf");
    }

    #[test]
    fn a_row_that_no_operand_decides_fails() {
        for rows in [[(T, BAD), (T, T)], [(BAD, BAD), (F, F)], [(BAD, T), (T, T)]] {
            assert!(guarded(true, true, &rows).is_err());
        }
        assert!(guarded(false, true, &[(F, BAD)]).is_err());
    }

    #[test]
    fn null_lets_a_row_through_unless_it_is_taken_for_false() {
        assert_eq!(guarded(true, true, &[(None, BAD), (T, T)]).unwrap(), "nt");
        assert!(guarded(true, false, &[(None, BAD), (T, T)]).is_err());
        assert_eq!(guarded(true, false, &[(None, F), (F, BAD)]).unwrap(), "ff");
    }

    #[test]
    fn nested_conditions_are_guarded_too() {
        let schema = Schema::new(vec![Field::new("a", DataType::Utf8, true)]);
        let is_bad = || cast(col("a", &schema).unwrap(), &schema, DataType::Boolean).unwrap();
        let never: Arc<dyn PhysicalExpr> = lit(ScalarValue::from(false));
        let inner = Guarded::try_new(true, vec![is_bad(), Arc::clone(&never)], true).unwrap();
        let outer = Guarded::try_new(false, vec![never, Arc::new(inner)], true).unwrap();
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(vec!["bad"; 3]))]);
        let value = outer.evaluate(&batch.unwrap()).unwrap().into_array(3).unwrap();
        let mut expected = BooleanBuilder::new();
        expected.append_slice(&[false; 3]);
        assert_eq!(value.as_boolean(), &expected.finish());
    }
}
