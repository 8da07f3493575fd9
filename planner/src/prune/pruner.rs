//! `Pruner`: a predicate taken apart by cause, each part asked of statistics through DataFusion's `PruningPredicate`.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{
    common::pruning::PruningStatistics,
    physical_expr::{PhysicalExpr, conjunction, split_conjunction},
    physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder},
};

use super::{CAUSES, Cause};

/// The parts of a predicate that statistics can answer.
#[derive(Debug, Default)]
pub(crate) struct Pruner {
    parts: Vec<(Cause, PruningPredicate)>,
}

impl Pruner {
    /// Takes a predicate over `schema` apart. Parts that statistics cannot answer are left out.
    pub(crate) fn new(predicate: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Self {
        let conjuncts: Vec<_> = split_conjunction(predicate)
            .into_iter()
            .map(|conjunct| (Cause::of(conjunct), conjunct))
            .collect();
        let parts = CAUSES.into_iter().filter_map(|cause| {
            let of_cause = conjuncts.iter().filter(|(found, _)| *found == cause);
            let mut of_cause = of_cause.map(|(_, conjunct)| Arc::clone(conjunct)).peekable();
            of_cause.peek()?;
            let built = PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(schema))
                .try_build(conjunction(of_cause));
            built.ok().filter(|part| !part.always_true()).map(|part| (cause, part))
        });
        Self { parts: parts.collect() }
    }

    /// For each container: `None` if it may hold a matching row, else why it cannot.
    pub(crate) fn prune(&self, statistics: &dyn PruningStatistics) -> Vec<Option<Cause>> {
        let mut verdicts = vec![None; statistics.num_containers()];
        for (cause, part) in &self.parts {
            let Ok(kept) = part.prune(statistics) else {
                metrics::counter!("hexflight_scan_prune_errors_total").increment(1);
                continue;
            };
            for (verdict, kept) in verdicts.iter_mut().zip(kept) {
                if !kept && verdict.is_none() {
                    *verdict = Some(*cause);
                }
            }
        }
        verdicts
    }
}
