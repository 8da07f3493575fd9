//! Arguments of `hexflight demo`.

use std::{num::NonZeroUsize, time::Duration};

use clap::Args;

use crate::commands::simulate::{LoadPlan, WorkloadConfig, parse_count_from_one, parse_duration};

/// Events by default: seconds of work for a release build, and as little as a debug build can do in that time.
const ROWS_DEFAULT: &str = if cfg!(debug_assertions) { "200k" } else { "2M" };

/// Event time that the demo's events cover, apart from the late ones.
const TIME_SPAN: Duration = Duration::from_hours(1);

/// Starts a server in a temporary directory, streams events into it, asks the four questions, and checks every answer.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Events to send
    #[arg(long, default_value = ROWS_DEFAULT, value_parser = parse_count_from_one)]
    pub rows: usize,
    /// Stop sending after this time, even if not all events are sent: for slow machines
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    pub duration: Duration,
    /// Devices in the simulated fleet
    #[arg(long, default_value = "10000", value_parser = parse_count_from_one)]
    pub devices: usize,
    /// Seed of everything random: the same seed makes the same fleet and values
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

impl DemoArgs {
    pub(super) fn workload(&self) -> WorkloadConfig {
        WorkloadConfig { seed: self.seed, device_count: self.devices, ..WorkloadConfig::default() }
    }

    pub(super) fn load_plan(&self, target: String) -> LoadPlan {
        LoadPlan {
            target: target.into(),
            workload: self.workload(),
            connection_count: NonZeroUsize::new(self.devices.min(2)).unwrap_or(NonZeroUsize::MIN),
            rows_max: Some(self.rows),
            time_max: Some(self.duration),
            rate: None,
            time_span: Some(TIME_SPAN),
            reconnect: false,
        }
    }
}
