//! Remembers statements by their text as logical plans over tables without rows: parsing and planning the text again is a third
//! of all planning. And what they return and want: clients ask for the schema before each run, prepared statements twice. Holds no snapshot, no
//! value of a parameter and no moment: those belong to a run.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::Result,
    logical_expr::{Expr, LogicalPlan, Volatility},
};
use parking_lot::Mutex;

use super::LogicalSchema;
use crate::{
    catalog,
    session::Shape,
    sql::{self, SeriesParameters},
};

/// Statements remembered; when there are more, all are forgotten.
const ENTRIES_MAX: usize = 256;

/// Longer texts are not remembered. **Units**: bytes.
const SQL_BYTES_MAX: usize = 8 << 10;

/// Larger plans are not remembered: WITH queries can make a large plan of a short text.
const NODES_MAX: usize = 64;

/// A statement as it was planned from its text.
#[derive(Debug)]
pub(super) struct Statement {
    /// Over tables without rows, with parameters, not optimised.
    pub(super) plan: LogicalPlan,
    /// The names of its result's columns, where those of the plan are others.
    pub(super) names: Option<Vec<String>>,
    /// Parameters whose values are in the plan already.
    pub(super) series: SeriesParameters,
    /// Which rules its optimisation needs.
    pub(super) shape: Shape,
    /// Whether each run optimises to the same plan: no parameter, no `now()`, nothing that explains itself.
    is_constant: bool,
    /// Whether it may be kept.
    is_lasting: bool,
    /// [`Statement::plan`] optimised, if that is the same for each run.
    optimised: OnceLock<LogicalPlan>,
}

impl Statement {
    /// Looks at a plan that was just made.
    pub(super) fn new((plan, series): (LogicalPlan, SeriesParameters)) -> Result<Self> {
        let (mut node_count, mut is_ours, mut is_constant) = (0, true, true);
        plan.apply_with_subqueries(|node| {
            node_count += 1;
            is_ours &=
                !matches!(node, LogicalPlan::TableScan(scan) if catalog::unpinned_name(scan).is_none());
            is_constant &= !matches!(node, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
            is_constant &= all_constant(node)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Self {
            shape: Shape::of(&plan)?,
            names: sql::result_names(&plan)?,
            is_lasting: is_ours && series.is_empty() && node_count <= NODES_MAX,
            series,
            is_constant,
            optimised: OnceLock::new(),
            plan,
        })
    }

    /// The optimised plan, made at the first run if it can be kept.
    pub(super) fn optimised(
        &self,
        optimise: impl FnOnce(&LogicalPlan) -> Result<LogicalPlan>,
    ) -> Result<Option<&LogicalPlan>> {
        if !self.is_constant || !self.is_lasting {
            return Ok(None);
        }
        if self.optimised.get().is_none() {
            let plan = optimise(&self.plan)?;
            self.optimised.get_or_init(|| plan);
        }
        Ok(self.optimised.get())
    }
}

/// Whether the expressions of a node mean the same in each run.
fn all_constant(node: &LogicalPlan) -> Result<bool> {
    let mut constant = true;
    node.apply_expressions(|expression| {
        expression.apply(|part| {
            constant &= match part {
                Expr::Placeholder(_) | Expr::ScalarVariable(..) => false,
                Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
                _ => true,
            };
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(constant)
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct StatementCache {
    entries: Mutex<HashMap<String, Known>>,
}

/// What is known of a text.
#[derive(Debug, Default)]
struct Known {
    statement: Option<Arc<Statement>>,
    schema: Option<LogicalSchema>,
}

impl StatementCache {
    /// The statement of a text.
    pub(super) fn get(&self, sql: &str) -> Option<Arc<Statement>> {
        let found = self.entries.lock().get(sql).and_then(|known| known.statement.clone());
        let result = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!("hexflight_query_statements_total", "cache" => result).increment(1);
        found
    }

    /// What the statement of a text returns and wants.
    pub(super) fn schema(&self, sql: &str) -> Option<LogicalSchema> {
        self.entries.lock().get(sql).and_then(|known| known.schema.clone())
    }

    /// Remembers a statement, unless it is too large or reads more than the engine's tables.
    pub(super) fn insert(&self, sql: &str, statement: &Arc<Statement>) {
        if statement.is_lasting {
            self.note(sql, |known| known.statement = Some(Arc::clone(statement)));
        }
    }

    /// Remembers what a statement returns and wants: columns of a table never change while the process runs.
    pub(super) fn insert_schema(&self, sql: &str, schema: &LogicalSchema) {
        self.note(sql, |known| known.schema = Some(schema.clone()));
    }

    fn note(&self, sql: &str, note: impl FnOnce(&mut Known)) {
        if sql.len() > SQL_BYTES_MAX {
            return;
        }
        let mut entries = self.entries.lock();
        if entries.len() >= ENTRIES_MAX && !entries.contains_key(sql) {
            entries.clear();
        }
        note(entries.entry(sql.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;

    #[test]
    fn statements_are_remembered_up_to_a_bound() {
        let cache = StatementCache::default();
        let schema =
            LogicalSchema { result: Arc::new(Schema::empty()), parameters: Arc::new(Schema::empty()) };
        for number in 0..ENTRIES_MAX {
            cache.insert_schema(&format!("SELECT {number}"), &schema);
        }
        cache.insert_schema("SELECT 1", &schema);
        assert!(cache.schema("SELECT 0").is_some());
        cache.insert_schema("SELECT -1", &schema);
        assert!(cache.schema("SELECT 0").is_none() && cache.schema("SELECT -1").is_some());
        let long = " ".repeat(SQL_BYTES_MAX + 1);
        cache.insert_schema(&long, &schema);
        assert!(cache.schema(&long).is_none());
    }
}
