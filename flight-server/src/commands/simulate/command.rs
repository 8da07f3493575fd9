//! `hexflight simulate`: arguments, progress line and summary of a load run.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use hexflight_engine::{Clock, SystemClock, time};
use tokio_util::sync::CancellationToken;

use super::{
    Fleet, LoadObservers, LoadPlan, LoadStats, LoadTotals, Metric, WorkloadConfig, run_load,
    units::{parse_count, parse_count_from_one, parse_duration, parse_exponent, parse_metric, parse_share},
};
use crate::{
    client::{Client, ServerAddress},
    console::{self, CliError, ProgressLine, grouped, millis},
};

/// How often the progress line changes.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// How long a run takes when neither rows nor a duration are given.
const DURATION_DEFAULT: Duration = Duration::from_secs(10);

/// Rows that fit one message with room to spare.
const BATCH_ROWS_MAX: usize = 400_000;

/// Connections that make sense from one process.
const CONNECTIONS_MAX: usize = 64;

/// Sends the events of a simulated fleet to a server.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Server to send to, as http://HOST:PORT or grpc://HOST:PORT
    #[arg(long, default_value = "http://127.0.0.1:8815", env = "HEXFLIGHT_TARGET", hide_env_values = true)]
    pub target: String,
    /// Certificates of the authorities to believe, in PEM, for grpc+tls:// and https:// [default: those of the system]
    #[arg(long, value_name = "FILE", env = "HEXFLIGHT_TLS_CA", hide_env_values = true)]
    pub tls_ca: Option<PathBuf>,
    /// Rows per second over all connections; 0 sends as fast as the server takes them
    #[arg(long, default_value = "0", value_parser = parse_count)]
    pub rate: usize,
    /// Devices in the fleet
    #[arg(long, default_value = "10000", value_parser = parse_count_from_one)]
    pub devices: usize,
    /// What the devices measure
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "temperature,humidity,pressure,battery,speed",
        value_parser = parse_metric
    )]
    pub types: Vec<Metric>,
    /// How long to send [default: 10s, unless --rows is given]
    #[arg(long, value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// How many rows to send
    #[arg(long, value_parser = parse_count_from_one, conflicts_with = "duration")]
    pub rows: Option<usize>,
    /// Rows per batch; at a given rate, fewer if a batch would take longer than a quarter of a second to fill
    #[arg(long, default_value = "8192", value_parser = parse_count_from_one)]
    pub batch_rows: usize,
    /// Connections that send at once
    #[arg(long, default_value = "2", value_parser = parse_count_from_one)]
    pub connections: usize,
    /// Seed of everything random: the same seed makes the same fleet
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Share of events that arrive a minute to three days late
    #[arg(long, default_value = "5%", value_parser = parse_share)]
    pub late: f64,
    /// Share of devices that move
    #[arg(long, default_value = "20%", value_parser = parse_share)]
    pub moving: f64,
    /// Skew of the devices' popularity: 0 makes all alike
    #[arg(long, default_value = "1.1", value_parser = parse_exponent)]
    pub zipf: f64,
    /// Spread event times over this span before now, instead of letting them happen now
    #[arg(long, value_parser = parse_duration)]
    pub time_span: Option<Duration>,
}

/// Runs the command.
///
/// # Errors
/// `Argument` when arguments do not fit each other, `Client` when the server cannot be reached or refuses.
pub async fn run(args: SimulateArgs) -> Result<(), CliError> {
    let plan = args.plan()?;
    // A first connection, so that a wrong address is told at once.
    let first = Client::connect(&plan.target).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let fleet = Arc::new(Fleet::new(&plan.workload));
    let stats = Arc::new(LoadStats::default());
    let stop = CancellationToken::new();
    let observers = LoadObservers { stats: Arc::clone(&stats), ledger: None, stop: stop.clone() };
    let started = time::now();
    console::note(&format!(
        "sending to {} from {} devices over {} connections, seed {} (Ctrl-C ends it)",
        first.url(),
        grouped(plan.workload.device_count as u64),
        plan.connection_count,
        plan.workload.seed
    ));
    let load = run_load(plan, &fleet, &clock, clock.now_micros(), &observers);
    let ended = with_progress(load, &stats, &stop).await;
    summarise(&stats.totals(), started.elapsed())?;
    ended
}

impl SimulateArgs {
    fn plan(&self) -> Result<LoadPlan, CliError> {
        let at_most = |field: &'static str, value: usize, max: usize| {
            let rule = format!("must be at most {max}");
            if value > max {
                Err(CliError::Argument { field, value: value.to_string(), rule })
            } else {
                Ok(value)
            }
        };
        let connections = at_most("connections", self.connections, CONNECTIONS_MAX.min(self.devices))?;
        Ok(LoadPlan {
            target: ServerAddress::new(self.target.as_str(), self.tls_ca.clone()),
            workload: WorkloadConfig {
                seed: self.seed,
                device_count: self.devices,
                metrics: self.types.clone(),
                batch_rows: at_most("batch-rows", self.batch_rows, BATCH_ROWS_MAX)?,
                late_share: self.late,
                moving_share: self.moving,
                zipf_exponent: self.zipf,
                ..WorkloadConfig::default()
            },
            connection_count: NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN),
            rows_max: self.rows,
            time_max: self.rows.is_none().then(|| self.duration.unwrap_or(DURATION_DEFAULT)),
            rate: (self.rate > 0).then_some(self.rate as f64),
            time_span: self.time_span,
            reconnect: true,
        })
    }
}

/// Runs `load` and shows how it goes; Ctrl-C stops it gently.
async fn with_progress(
    load: impl Future<Output = Result<(), CliError>>,
    stats: &LoadStats,
    stop: &CancellationToken,
) -> Result<(), CliError> {
    let mut load = std::pin::pin!(load);
    let mut line = ProgressLine::start();
    let mut ticks = time::interval(PROGRESS_INTERVAL);
    let (mut before, mut then) = (0, time::now());
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut load => break ended,
            signal = tokio::signal::ctrl_c(), if !stop.is_cancelled() => {
                if let Err(source) = signal {
                    break Err(CliError::Io { action: "wait for Ctrl-C".to_owned(), source });
                }
                stop.cancel();
            }
            _ = ticks.tick() => {
                let totals = stats.totals();
                let rows_per_second = per_second(totals.acked_rows - before, then.elapsed());
                (before, then) = (totals.acked_rows, time::now());
                line.update(progress_text(&totals, rows_per_second));
            }
        }
    };
    line.finish();
    ended
}

/// The progress line: what is durable, how fast it gets there, and how long an ack takes.
pub(crate) fn progress_text(totals: &LoadTotals, rows_per_second: u64) -> String {
    format!(
        "{:>12} rows durable  {:>10} rows/s  ack p50 {} p99 {}",
        grouped(totals.acked_rows),
        grouped(rows_per_second),
        millis(totals.ack_p50),
        millis(totals.ack_p99)
    )
}

fn summarise(totals: &LoadTotals, elapsed: Duration) -> Result<(), CliError> {
    console::say(&format!(
        "durable  {} rows in {} batches, {:.1} s: {} rows/s",
        grouped(totals.acked_rows),
        grouped(totals.acked_batches),
        elapsed.as_secs_f64(),
        grouped(per_second(totals.acked_rows, elapsed))
    ))?;
    console::say(&format!("acks     p50 {}, p99 {}", millis(totals.ack_p50), millis(totals.ack_p99)))?;
    if totals.refusals > 0 {
        console::say(&format!("refused  {} times for lack of memory, then sent again", totals.refusals))?;
    }
    if totals.unknown_rows > 0 {
        let rows = grouped(totals.unknown_rows);
        console::say(&format!(
            "unknown  {rows} rows were in flight when a connection broke; not sent again"
        ))?;
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and only shown"
)]
pub(crate) fn per_second(rows: u64, elapsed: Duration) -> u64 {
    (rows as f64 / elapsed.as_secs_f64().max(1e-6)).round() as u64
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: SimulateArgs,
    }

    #[test]
    fn defaults_are_those_of_the_workload() {
        let plan = parsed(&[]).unwrap().plan().unwrap();

        assert_eq!(plan.workload, WorkloadConfig::default());
        assert_eq!((plan.rows_max, plan.time_max, plan.rate), (None, Some(DURATION_DEFAULT), None));
    }

    #[test]
    fn bad_values_name_flag_value_and_rule() {
        for (flag, value, rule) in [
            ("--duration", "10", "for example 10s"),
            ("--late", "120%", "between 0% and 100%"),
            ("--rate", "fast", "whole number"),
            ("--types", "temprature", "one of temperature"),
            ("--devices", "0", "at least 1"),
            ("--zipf", "9", "between 0"),
        ] {
            let text = parsed(&[flag, value]).unwrap_err().to_string();
            assert!(text.contains(flag) && text.contains(value) && text.contains(rule), "{text}");
        }
        assert!(parsed(&["--rows", "5", "--duration", "5s"]).is_err());
    }

    #[test]
    fn more_connections_than_devices_are_refused() {
        let args = parsed(&["--connections", "5", "--devices", "4"]).unwrap();
        assert_eq!(args.plan().unwrap_err().to_string(), "--connections 5: must be at most 4");
        let args = parsed(&["--batch-rows", "1M"]).unwrap();
        assert!(args.plan().unwrap_err().to_string().starts_with("--batch-rows 1000000: "));
    }

    fn parsed(flags: &[&str]) -> Result<SimulateArgs, clap::Error> {
        Command::try_parse_from(["simulate"].iter().chain(flags)).map(|command| command.args)
    }
}
