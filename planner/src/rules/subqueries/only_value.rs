//! `only_value`: the aggregate that a subquery stands for as a value: its one row's value, NULL without a row, an error for more.
//! Rules put it into plans; SQL does not know its name.

use std::sync::LazyLock;

use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::{DataType, Field, FieldRef, UInt64Type},
};
use datafusion::{
    common::exec_err,
    error::Result,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    scalar::ScalarValue,
};

static FUNCTION: LazyLock<AggregateUDF> = LazyLock::new(|| AggregateUDF::from(OnlyValue::default()));

/// The value of the only row.
pub(super) fn only_value(value: Expr) -> Expr {
    FUNCTION.call(vec![value])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OnlyValue {
    signature: Signature,
}

impl Default for OnlyValue {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for OnlyValue {
    fn name(&self) -> &'static str {
        "only_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(arguments.return_field.data_type())?;
        Ok(Box::new(Row { value, row_count: 0 }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let value = Field::new("value", arguments.return_field.data_type().clone(), true);
        Ok(vec![value.into(), Field::new("row_count", DataType::UInt64, false).into()])
    }
}

/// The row seen so far, if there was one.
#[derive(Debug)]
struct Row {
    value: ScalarValue,
    row_count: u64,
}

impl Row {
    fn take(&mut self, values: &ArrayRef, index: usize) -> Result<()> {
        if self.row_count > 0 {
            return exec_err!("a subquery that stands for a value returned more than one row");
        }
        self.value = ScalarValue::try_from_array(values, index)?;
        self.row_count = 1;
        Ok(())
    }
}

impl Accumulator for Row {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        (0..values[0].len()).try_for_each(|index| self.take(&values[0], index))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() - size_of_val(&self.value)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::UInt64(Some(self.row_count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let row_counts = states[1].as_primitive::<UInt64Type>();
        let filled = row_counts.values().iter().enumerate().filter(|(_, row_count)| **row_count > 0);
        let filled: Vec<usize> = filled.map(|(index, _)| index).collect();
        filled.into_iter().try_for_each(|index| self.take(&states[0], index))
    }
}
