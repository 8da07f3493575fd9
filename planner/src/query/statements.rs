//! Remembers statements by their text as logical plans over tables without rows: parsing and planning the text again is a third
//! of all planning. Holds no snapshot, no value of a parameter and no moment: those belong to a run.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::Result,
    logical_expr::{Expr, LogicalPlan, Volatility},
};
use parking_lot::{Mutex, MutexGuard};

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
    entries: Mutex<HashMap<String, Arc<Statement>>>,
}

impl StatementCache {
    /// What is known of a text.
    pub(super) fn get(&self, sql: &str) -> Option<Arc<Statement>> {
        let found = self.entries().get(sql).map(Arc::clone);
        let result = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!("hexflight_query_statements_total", "cache" => result).increment(1);
        found
    }

    /// Remembers a statement, unless it is too large or reads more than the engine's tables.
    pub(super) fn insert(&self, sql: &str, statement: &Arc<Statement>) {
        if sql.len() > SQL_BYTES_MAX || !statement.is_lasting {
            return;
        }
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(sql.to_owned(), Arc::clone(statement));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Arc<Statement>>> {
        self.entries.lock()
    }
}
