//! `DerivedColumns`: a subquery in FROM may have columns of one name, as in PostgreSQL; only who asks for one of them by that name
//! has a question that nobody can answer.

use std::{collections::HashMap, sync::Arc};

use datafusion::{
    error::Result,
    logical_expr::{
        Expr, LogicalPlan, Projection,
        planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning},
    },
    sql::sqlparser::ast::TableFactor,
};

use super::column_id::ColumnId;

/// See the module.
#[derive(Debug)]
pub(crate) struct DerivedColumns;

impl RelationPlanner for DerivedColumns {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None } = relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let plan =
            context.plan(TableFactor::Derived { lateral: false, subquery, alias: None, sample: None })?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(named_apart(plan)?, Some(alias)))))
    }
}

/// Renames each column that shares its name.
fn named_apart(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for field in plan.schema().fields() {
        *uses.entry(field.name().clone()).or_default() += 1;
    }
    if uses.len() == plan.schema().fields().len() {
        return Ok(plan);
    }
    let columns = plan.schema().iter().enumerate().map(|(number, (relation, field))| {
        let column = Expr::Column((relation, field).into());
        if uses.get(field.name()) == Some(&1) {
            return column;
        }
        let name = ColumnId::of(field.name()).map_or_else(|| field.name().as_str(), |id| id.name);
        column.alias(ColumnId { number, name }.column())
    });
    Ok(LogicalPlan::Projection(Projection::try_new(columns.collect(), Arc::new(plan))?))
}
