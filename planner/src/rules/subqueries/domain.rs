//! The distinct values of the outer columns that a subquery names, and the outer plan while subqueries are joined to it.

use std::cell::Cell;

use datafusion::{
    common::{Column, NullEquality, plan_err, tree_node::TreeNodeRecursion},
    error::Result,
    logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit},
};

/// Numbers the columns that rules make, so that no two of a statement have one name.
#[derive(Debug, Default)]
pub(super) struct Names(Cell<usize>);

impl Names {
    /// A name that nothing else has.
    pub(super) fn fresh(&self, what: &str) -> String {
        let number = self.0.get() + 1;
        self.0.set(number);
        format!("__{what}_{number}")
    }
}

/// Most nodes of a plan that values are taken from: each subquery inside of another repeats the plan of that one.
const NODES_MAX: usize = 2_000;

fn check_size(plan: &LogicalPlan) -> Result<()> {
    let mut node_count = 0;
    plan.apply_with_subqueries(|_| {
        node_count += 1;
        Ok(if node_count > NODES_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if node_count > NODES_MAX {
        return plan_err!(
            "subqueries that name columns of the queries around them are too many or too deep: the plan would have more than \
             {NODES_MAX} nodes; write some of them as joins"
        );
    }
    Ok(())
}

/// Distinct values of some columns.
#[derive(Debug)]
pub(super) struct Domain {
    values: LogicalPlan,
    columns: Vec<Column>,
}

impl Domain {
    /// Those of `columns` in `plan`.
    pub(super) fn of(columns: Vec<Column>, plan: &LogicalPlan) -> Result<Self> {
        check_size(plan)?;
        let keys = columns.iter().cloned().map(Expr::Column);
        let values = LogicalPlanBuilder::from(plan.clone()).aggregate(keys, Vec::<Expr>::new())?.build()?;
        Ok(Self { values, columns })
    }

    /// The outer columns themselves.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The values under names of their own.
    pub(super) fn copy(&self, names: &Names) -> Result<(LogicalPlan, Vec<Column>)> {
        let keys: Vec<String> = self.columns.iter().map(|_| names.fresh("outer")).collect();
        let renamed =
            self.columns.iter().zip(&keys).map(|(column, key)| Expr::Column(column.clone()).alias(key));
        let plan = LogicalPlanBuilder::from(self.values.clone()).project(renamed)?.build()?;
        Ok((plan, keys.into_iter().map(Column::new_unqualified).collect()))
    }
}

/// A plan to which answers of subqueries are joined.
#[derive(Debug)]
pub(super) struct Outer {
    /// As it was written: what domains are taken from, wherever it has all their columns.
    written: LogicalPlan,
    /// With the answers so far.
    pub(super) plan: LogicalPlan,
}

impl Outer {
    pub(super) fn new(plan: LogicalPlan) -> Self {
        Self { written: plan.clone(), plan }
    }

    /// Which of the columns are its own.
    pub(super) fn own(&self, columns: &[Column]) -> Vec<Column> {
        columns.iter().filter(|column| self.plan.schema().is_column_from_schema(column)).cloned().collect()
    }

    pub(super) fn domain(&self, columns: Vec<Column>) -> Result<Domain> {
        let has_all = columns.iter().all(|column| self.written.schema().is_column_from_schema(column));
        Domain::of(columns, if has_all { &self.written } else { &self.plan })
    }

    /// Puts beside each row the one of `answers` whose keys are the row's values of `columns`, or NULLs.
    pub(super) fn join(&mut self, answers: LogicalPlan, columns: &[Column], keys: &[Column]) -> Result<()> {
        let outer = LogicalPlanBuilder::from(self.plan.clone());
        let joined = if columns.is_empty() {
            outer.join_on(answers, JoinType::Left, [lit(true)])?
        } else {
            let on = (columns.to_vec(), keys.to_vec());
            outer.join_detailed(answers, JoinType::Left, on, None, NullEquality::NullEqualsNull)?
        };
        self.plan = joined.build()?;
        Ok(())
    }
}
