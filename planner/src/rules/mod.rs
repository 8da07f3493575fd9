//! Rules of our own, one file each: what DataFusion answers wrongly is mended before its own rules see the plan.
//!
//! Analyzer rules run on the plan as it was written, before types are brought together; logical rules run on the typed plan,
//! before DataFusion simplifies it; physical rules run last. A rule first looks whether a plan has anything for it, and copies nothing
//! before it has found that. Beside each rule that answers an upstream fault stands a test that fails once upstream has mended it.

mod comparison;
mod mend;
mod set_apart;
mod bitwise_signs;
mod date_arithmetic;
mod interval_arithmetic;
mod far_moments;
mod json_casts;
mod json_values;
mod lists_apart;
mod open_lists;
mod nested_loops;
mod never_unknown;
mod plain_floats;
mod volatile_once;
mod exact_times;
mod window_frames;
mod outer_aggregates;
mod null_safe_keys;
mod constant_join_keys;
mod null_peers;
mod nullable_sides;
mod opaque_operands;
mod distinct_on_order;
mod counted_set_operations;
mod subqueries;
mod wide_rows;
mod distinct_inner_keys;
mod guard_conditions;
mod held;
mod hold_above_joins;
mod hold_in_outer_joins;
mod json_as_text;
mod plain_patterns;
mod projections_above_guards;
mod whole_moments;
mod guard_filtered_arguments;
mod guard_below;
mod filter_pushdown;
mod turns_in_joins;
mod turns_in_calls;
mod fixed_widths;
mod large_limits;
mod bounded_calls;
mod bounded_windows;
mod answer_from_rollups;

pub(crate) use answer_from_rollups::AnswerFromRollups;
pub(crate) use held::PlanHeld;

use std::sync::Arc;

use datafusion::{
    logical_expr::{expr_rewriter::FunctionRewrite, planner::ExprPlanner},
    optimizer::{Analyzer, AnalyzerRule, Optimizer, OptimizerRule},
    physical_optimizer::{PhysicalOptimizerRule, optimizer::PhysicalOptimizer},
};

use self::mend::{Mend, MendExpressions};
use crate::functions::Bounds;

/// Planners of single operators, before there is a plan.
pub(crate) fn expression_planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![
        // One line per planner.
        Arc::new(interval_arithmetic::IntervalArithmetic),
    ]
}

/// Rewrites of single calls, before all rules.
pub(crate) fn function_rewrites() -> Vec<Arc<dyn FunctionRewrite + Send + Sync>> {
    vec![
        // One line per rewrite.
        Arc::new(json_casts::JsonCasts),
    ]
}

/// Rules over the plan as it was written: ours, then DataFusion's.
pub(crate) fn analyzer_rules(bounds: &Arc<Bounds>) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![
        // One line per rule.
        Arc::new(MendExpressions::new("mend_untyped_expressions", untyped_mends(bounds))),
        Arc::new(plain_patterns::PlainPatterns),
        // `JsonValues` above looks for what `->` gives before this makes text of it.
        Arc::new(json_as_text::JsonAsText::new()),
    ];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(MendExpressions::new("mend_typed_expressions", typed_mends(bounds))));
    // Types have been brought together before these.
    rules.push(Arc::new(window_frames::CheckWindowFrames));
    rules.push(Arc::new(outer_aggregates::CheckOuterAggregates));
    rules.push(Arc::new(distinct_on_order::DistinctOnOrder));
    rules.push(Arc::new(counted_set_operations::CountSetOperations));
    rules.push(Arc::new(subqueries::SubqueriesToJoins));
    rules
}

/// Mends of expressions whose types are not brought together yet.
fn untyped_mends(bounds: &Arc<Bounds>) -> Vec<Box<dyn Mend>> {
    vec![
        // One line per mend.
        Box::new(json_values::JsonValues),
        Box::new(date_arithmetic::DateArithmetic),
        Box::new(far_moments::FarMoments),
        Box::new(fixed_widths::FixedWidths::new(bounds)),
    ]
}

/// Mends of typed expressions, before DataFusion simplifies them.
fn typed_mends(bounds: &Arc<Bounds>) -> Vec<Box<dyn Mend>> {
    vec![
        // One line per mend.
        Box::new(volatile_once::VolatileOnce),
        Box::new(plain_floats::PlainFloats),
        Box::new(bitwise_signs::BitwiseSigns),
        Box::new(open_lists::OpenLists),
        Box::new(lists_apart::ListsApart),
        Box::new(never_unknown::NeverUnknown),
        Box::new(bounded_windows::BoundedWindows::new(bounds)),
        // Sees the calls and operators that all others leave.
        Box::new(bounded_calls::BoundedCalls::new(bounds)),
    ]
}

/// Rules over the typed plan: ours, then DataFusion's.
pub(crate) fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        // One line per rule.
        Arc::new(whole_moments::WholeMoments::new()),
        Arc::new(exact_times::ExactTimes),
        Arc::new(guard_filtered_arguments::GuardFilteredArguments),
        Arc::new(guard_below::GuardBelow),
        Arc::new(hold_above_joins::HoldAboveJoins),
        Arc::new(hold_in_outer_joins::HoldInOuterJoins),
    ];
    rules.extend(Optimizer::new().rules.into_iter().flat_map(|rule| match rule.name() {
        null_safe_keys::EXTRACT => vec![Arc::new(null_safe_keys::NullSafeKeys) as _],
        constant_join_keys::BEFORE => vec![Arc::new(constant_join_keys::ConstantJoinKeys) as _, rule],
        _ => vec![rule],
    }));
    // What DataFusion's rules made is what these look at.
    rules.push(Arc::new(distinct_inner_keys::DistinctInnerKeys));
    rules
}

/// A rule before all others, then DataFusion's physical rules, some of them in a form of ours.
pub(crate) fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let rules = PhysicalOptimizer::new().rules.into_iter();
    let rules = rules.flat_map(|rule| match rule.name() {
        projections_above_guards::PROJECTION_PUSHDOWN => {
            vec![Arc::new(projections_above_guards::ProjectionsAboveGuards) as _]
        }
        filter_pushdown::EARLY => vec![Arc::new(filter_pushdown::EarlyFilters) as _],
        filter_pushdown::LATE => vec![Arc::new(filter_pushdown::LateFilters) as _],
        nullable_sides::BEFORE => vec![Arc::new(nullable_sides::NullableSides) as _, rule],
        _ => vec![rule],
    });
    std::iter::once(Arc::new(opaque_operands::OpaqueOperands) as _).chain(rules).collect()
}

/// Physical rules after all others.
pub(crate) fn last_physical_rules(bounds: &Arc<Bounds>) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    vec![
        // One line per rule.
        Arc::new(large_limits::LargeLimits),
        Arc::new(null_peers::NullPeers),
        Arc::new(guard_conditions::GuardConditions),
        Arc::new(wide_rows::WideRows::new(bounds)),
        Arc::new(nested_loops::NestedLoops),
        Arc::new(turns_in_joins::TurnsInJoins),
        Arc::new(turns_in_calls::TurnsInCalls),
    ]
}
