//! Rules of our own, one file each: what DataFusion answers wrongly is mended before its own rules see the plan.
//!
//! Analyzer rules run on the plan as it was written, before types are brought together; logical rules run on the typed plan,
//! before DataFusion simplifies it; physical rules run last. A rule first looks whether a plan has anything for it, and copies nothing
//! before it has found that. Beside each rule that answers an upstream fault stands a test that fails once upstream has mended it.

mod exact_times;
mod yield_in_joins;

use std::sync::Arc;

use datafusion::{
    optimizer::{Analyzer, AnalyzerRule, Optimizer, OptimizerRule},
    physical_optimizer::PhysicalOptimizerRule,
};

/// Rules over the plan as it was written: ours, then DataFusion's.
pub(crate) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![];
    rules.extend(Analyzer::new().rules);
    rules
}

/// Rules over the typed plan: ours, then DataFusion's.
pub(crate) fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        // One line per rule.
        Arc::new(exact_times::ExactTimes),
    ];
    rules.extend(Optimizer::new().rules);
    rules
}

/// Physical rules after all others.
pub(crate) fn last_physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    vec![
        // One line per rule.
        Arc::new(yield_in_joins::YieldInJoins),
    ]
}
