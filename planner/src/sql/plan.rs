//! Text → tokens → statement → logical plan, and the parameters of that plan.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::{
    common::{ParamValues, ScalarValue, SchemaError, plan_err, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result},
    execution::{SessionState, context::SQLOptions},
    logical_expr::{Expr, LogicalPlan},
    sql::parser::{DFParserBuilder, Statement},
};

use super::{
    column_id::speaks_of_ids,
    dialect::HexflightDialect,
    distinct_names::name_apart,
    distinct_order::number_orders,
    expansion::table_uses,
    json_keys::plan_json_keys,
    json_operands::call_for_json,
    json_paths::plan_json_paths,
    limits::SqlLimits,
    mentions::Mentions,
    no_escape::plan_no_escapes,
    placeholder::number_placeholders,
    row_in::look_for_rows,
    series::{SeriesParameters, bind_series},
    series_subqueries::list_series,
    star_names::{check_replaced, fold_star_names, replaced_columns},
    statement::{check_allowed, refuse_asof, statement_name},
    time_zones::plan_time_zones,
    with_queries::derive_with_queries,
};

/// The dialect that statements are written in.
const DIALECT: HexflightDialect = HexflightDialect;

/// What the parser counts as one level of recursion; a bracket takes several.
const RECURSION_MAX: usize = 128;

/// Parses and plans one statement that only reads. `values` are for the parameters of table functions, which are gone from the plan.
///
/// # Errors
/// `SQL` for syntax, `Plan` for everything else that is wrong with the text.
pub(crate) async fn logical_plan(
    state: &SessionState,
    sql: &str,
    values: Option<&[ScalarValue]>,
    limits: &SqlLimits,
) -> Result<(LogicalPlan, SeriesParameters)> {
    let Parsed { mut statement, name, mentions } = parse(sql, limits)?;
    let series = series_bound(&mut statement, values, mentions)?;
    let replaced = if mentions.star_options { replaced_columns(&statement) } else { BTreeSet::new() };
    let plan = match state.statement_to_plan(statement).await.and_then(refuse_twin_groups) {
        Err(error) if speaks_of_ids(&error.to_string()) => return plan_err!("{AMBIGUOUS}"),
        Err(error) if is_about_names(&error) => {
            let mut statement = parse(sql, limits)?.statement;
            bind_series(&mut statement, values)?;
            named_apart(state, statement, error).await?
        }
        Err(error) if error.to_string().contains(JSON_TYPE) => {
            let mut statement = parse(sql, limits)?.statement;
            bind_series(&mut statement, values)?;
            call_for_json(&mut statement)?;
            state.statement_to_plan(statement).await?
        }
        planned => planned?,
    };
    limits.check_plan(&plan)?;
    check_replaced(&plan, replaced)?;
    check_reads_only(&plan, &name)?;
    Ok((plan, series))
}

/// Plans again a statement whose columns of one name were refused.
async fn named_apart(
    state: &SessionState,
    mut statement: Statement,
    refused: DataFusionError,
) -> Result<LogicalPlan> {
    if !name_apart(&mut statement)? {
        return Err(refused);
    }
    match state.statement_to_plan(statement).await.and_then(refuse_twin_groups) {
        Err(error) if speaks_of_ids(&error.to_string()) => plan_err!("{AMBIGUOUS}"),
        Err(error) if is_about_names(&error) => plan_err!("{ALIKE}"),
        planned => planned,
    }
}

/// How errors begin to write out the type that `->` has before it is text.
const JSON_TYPE: &str = "Union(Sparse, 0: (\"null\"";

const AMBIGUOUS: &str = "a column of a subquery is asked for by a name that two of its columns have; give them names of their own with AS";

const ALIKE: &str = "two columns have one name in a place where each needs its own; write out what stands for * and name them apart with AS, and \
     subqueries that are grouped by in a subquery of FROM";

/// `GROUP BY timestamp::date, timestamp` has two groups of one name, and so has a column that is grouped by beside `(SELECT b.value …)`:
/// both are refused as late as by an optimizer rule.
fn refuse_twin_groups(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            let (mut named, mut fields) = (HashMap::new(), HashMap::new());
            for group in &aggregate.group_expr {
                let is_new = *named.entry(group.schema_name().to_string()).or_insert(group) == group;
                let (table, name) = group.qualified_name();
                let (of, known) = fields.entry(name).or_insert_with(|| (table.clone(), group));
                let is_apart = *known == group || of.is_some() && table.is_some();
                if !is_new || !is_apart {
                    return plan_err!("groups {UNIQUE_NAMES}");
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(plan)
}

/// What DataFusion says of two columns of one name.
const UNIQUE_NAMES: &str = "require unique expression names";

fn is_about_names(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::Plan(text) => text.contains(UNIQUE_NAMES),
        DataFusionError::SchemaError(error, _) => {
            !matches!(error.as_ref(), SchemaError::FieldNotFound { .. })
        }
        _ => false,
    }
}

/// A query can hide a write, for example in `SELECT … INTO`.
fn check_reads_only(plan: &LogicalPlan, name: &str) -> Result<()> {
    let read_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only
        .verify_plan(plan)
        .or_else(|error| plan_err!("this {name} would write; only reading is allowed: {}", error.message()))
}

/// A statement, rewritten to what DataFusion plans as PostgreSQL would.
pub(crate) struct Parsed {
    statement: Statement,
    /// What errors call it.
    name: String,
    mentions: Mentions,
}

/// The statement of a text.
///
/// # Errors
/// `SQL` for syntax, `Plan` for more than one statement, for one that does not only read, and for what is refused by name.
pub(crate) fn parse(sql: &str, limits: &SqlLimits) -> Result<Parsed> {
    let tokens = number_placeholders(limits.tokens(sql, &DIALECT)?, &DIALECT)?;
    let name = statement_name(&tokens);
    refuse_asof(&tokens)?;
    let mentions = Mentions::of(&tokens);
    let mut parser =
        DFParserBuilder::new(tokens).with_dialect(&DIALECT).with_recursion_limit(RECURSION_MAX).build()?;
    let mut statements = parser.parse_statements()?;
    if statements.len() > 1 {
        return plan_err!("{} statements given; send them one at a time", statements.len());
    }
    let Some(mut statement) = statements.pop_front() else { return plan_err!("no statement given") };
    check_allowed(&statement, &name)?;
    rewrite(&mut statement, mentions)?;
    limits.check_table_uses(table_uses(&statement))?;
    Ok(Parsed { statement, name, mentions })
}

/// Walks the statement once for each kind that it mentions.
fn rewrite(statement: &mut Statement, mentions: Mentions) -> Result<()> {
    if mentions.membership {
        look_for_rows(statement)?;
    }
    if mentions.with_queries {
        derive_with_queries(statement)?;
    }
    if mentions.star_options {
        fold_star_names(statement)?;
    }
    if mentions.distinct {
        number_orders(statement)?;
    }
    if mentions.series {
        list_series(statement)?;
    }
    if mentions.time_zones {
        plan_time_zones(statement)?;
    }
    if mentions.json_paths {
        plan_json_paths(statement)?;
    }
    if mentions.parameters {
        plan_json_keys(statement)?;
    }
    if mentions.escapes {
        plan_no_escapes(statement)?;
    }
    Ok(())
}

fn series_bound(
    statement: &mut Statement,
    values: Option<&[ScalarValue]>,
    mentions: Mentions,
) -> Result<SeriesParameters> {
    if mentions.series || mentions.parameters {
        return bind_series(statement, values);
    }
    Ok(SeriesParameters::new())
}

/// Puts values in the place of parameters.
///
/// # Errors
/// `Plan` when a parameter has no value or a value no parameter.
pub(crate) fn bind(
    plan: LogicalPlan,
    series: &SeriesParameters,
    params: Vec<ScalarValue>,
) -> Result<LogicalPlan> {
    let expected = parameter_count(&plan, series)?;
    if expected != params.len() {
        return plan_err!("the statement has {expected} parameters, {} values were given", params.len());
    }
    if params.is_empty() {
        return Ok(plan);
    }
    plan.with_param_values(ParamValues::from(params))
}

/// Parameters in order, as far as their types are known.
///
/// # Errors
/// `Plan` for a parameter that is not `?` or `$n`, or that is used with two types.
pub(crate) fn parameter_schema(plan: &LogicalPlan, series: &SeriesParameters) -> Result<SchemaRef> {
    let mut types = plan.get_parameter_types()?;
    plan.apply_with_subqueries(|node| {
        row_count_parameters(node).for_each(|id| drop(types.insert(id.to_owned(), Some(DataType::Int64))));
        Ok(TreeNodeRecursion::Continue)
    })?;
    let fields = (1..=parameter_count(plan, series)?).map(|number| {
        let name = format!("${number}");
        let known = types.get(&name).cloned().flatten().or_else(|| series.get(&number).cloned());
        // The type of what `->` gives is no type that a value is sent in.
        let known = known.filter(|data_type| !matches!(data_type, DataType::Union(..)));
        Field::new(name, known.unwrap_or(DataType::Null), true)
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// Parameters of LIMIT and OFFSET, whose type DataFusion does not infer.
fn row_count_parameters(node: &LogicalPlan) -> impl Iterator<Item = &str> {
    let counts = match node {
        LogicalPlan::Limit(limit) => [limit.skip.as_deref(), limit.fetch.as_deref()],
        _ => [None, None],
    };
    counts.into_iter().flatten().filter_map(|count| match count {
        Expr::Placeholder(placeholder) => Some(placeholder.id.as_str()),
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Placeholder(placeholder) => Some(placeholder.id.as_str()),
            _ => None,
        },
        _ => None,
    })
}

/// The highest number used: `$2` alone still has a first parameter.
fn parameter_count(plan: &LogicalPlan, series: &SeriesParameters) -> Result<usize> {
    let mut count = series.keys().next_back().copied().unwrap_or_default();
    if count > PARAMETERS_MAX {
        return plan_err!("parameter ${count}: write parameters as ? or $1 to ${PARAMETERS_MAX}");
    }
    for name in plan.get_parameter_names()? {
        match name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok()) {
            Some(number) if number <= PARAMETERS_MAX => count = count.max(number),
            _ => return plan_err!("parameter {name}: write parameters as ? or $1 to ${PARAMETERS_MAX}"),
        }
    }
    Ok(count)
}

/// Most parameters of a statement; `$4000000000` must not make as many fields.
const PARAMETERS_MAX: usize = 10_000;
