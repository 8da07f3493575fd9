//! `PlanTimes`: what each stage of planning takes, for the bench: first as a query is planned, then every stage by itself, also
//! those that a remembered statement skips.

use std::time::Duration;

use datafusion::{
    common::ScalarValue, error::Result, execution::SessionStateBuilder,
    physical_planner::DefaultPhysicalPlanner,
};

use super::planner::{Planner, Way};
use crate::{catalog, session::Shape, sql, watch::Asker};
use hexflight_engine::time::{self, Instant};

/// Stages in order, each with its time; a rule that runs several times is there several times.
#[doc(hidden)]
#[derive(Debug, Clone, Default)]
pub struct PlanTimes {
    /// Name and time.
    pub stages: Vec<(String, Duration)>,
    /// Of the same statement planned as a query is, in one go.
    pub total: Duration,
}

impl PlanTimes {
    pub(super) async fn of(planner: &Planner, sql: &str, params: Vec<ScalarValue>) -> Result<Self> {
        let started = time::now();
        drop(planner.plan(sql, params.clone(), &Asker::default(), Way::Large).await?);
        let mut times = Self { total: started.elapsed(), stages: Vec::new() };
        let mut lap = Lap(time::now());
        drop(sql::parse(sql, planner.limits())?);
        times.push("parse", &mut lap);
        drop(sql::logical_plan(&planner.state(Shape::Any), sql, Some(&params), planner.limits()).await?);
        times.push("parse and logical plan", &mut lap);
        let statement = planner.statement(sql, Some(&params)).await?;
        times.push("remembered statement", &mut lap);
        let state = planner.state(statement.shape);
        times.push("state", &mut lap);
        let plan = sql::bind(statement.plan.clone(), &statement.series, params)?;
        times.push("bind", &mut lap);
        let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, rule| {
            times.push(&format!("analyze: {}", rule.name()), &mut lap);
        })?;
        let plan = state.optimizer().optimize(plan, &state, |_, rule| {
            times.push(&format!("optimise: {}", rule.name()), &mut lap);
        })?;
        times.push("optimise: checks", &mut lap);
        let plan = catalog::pin(plan, planner.engine(), &Asker::default())?;
        times.push("pin", &mut lap);
        let without_rules = SessionStateBuilder::new_from_existing(state.clone())
            .with_physical_optimizer_rules(vec![])
            .build();
        lap.next();
        let plan = without_rules.query_planner().create_physical_plan(&plan, &without_rules).await?;
        times.push("initial physical plan", &mut lap);
        let physical = DefaultPhysicalPlanner::default();
        drop(physical.optimize_physical_plan(plan, &state, |_, rule| {
            times.push(&format!("physical: {}", rule.name()), &mut lap);
        })?);
        times.push("physical: checks", &mut lap);
        Ok(times)
    }

    fn push(&mut self, stage: &str, lap: &mut Lap) {
        self.stages.push((stage.to_owned(), lap.next()));
    }
}

struct Lap(Instant);

impl Lap {
    fn next(&mut self) -> Duration {
        let now = time::now();
        now.duration_since(std::mem::replace(&mut self.0, now))
    }
}
