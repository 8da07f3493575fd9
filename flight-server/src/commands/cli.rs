//! The command line: what can be typed, and which command runs. Prints only through `console`.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, value_parser};

use super::{
    backup, check, demo, import, simulate, sql,
    user::{self, UserCommand},
};
use crate::{
    config::{Config, ConfigError, RawSetting, SETTINGS, Setting, read_layers, unknown_variables},
    console::{self, CliError},
    serve_error::ServeError,
    server::Server,
    telemetry,
};

/// Real-time, geo-temporal analytics for IoT events: Arrow Flight in, SQL out.
#[derive(Debug, Parser)]
#[command(name = "hexflight", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// Start a server, send it simulated events, ask it four questions and check the answers
    Demo(demo::DemoArgs),
    /// Send simulated device events to a server
    Simulate(simulate::SimulateArgs),
    /// Load Parquet, CSV and NDJSON files
    Import(import::ImportArgs),
    /// Ask SQL: statements, a script, or a prompt
    Sql(sql::SqlArgs),
    /// Look at every stored object of a data directory
    Check(check::CheckArgs),
    /// Copy a data directory, also while a server runs over it
    Backup(backup::BackupArgs),
    /// Add, change, remove and list users
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print each setting, its value and where the value came from
    Show(ServeArgs),
}

/// Settings as flags. Each can also be HEXFLIGHT_NAME in the environment or `name = …` in a TOML file; flags win over the
/// environment, which wins over the file.
#[derive(Debug, Default)]
pub struct ServeArgs {
    config: Option<PathBuf>,
    given: BTreeMap<&'static str, String>,
}

impl Args for ServeArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .env("HEXFLIGHT_CONFIG")
            .value_parser(value_parser!(PathBuf))
            .help("TOML file with settings");
        SETTINGS.iter().map(flag_of).fold(command.arg(config), clap::Command::arg)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let text = |setting: &Setting| {
            if setting.is_switch() {
                return matches.get_flag(setting.key).then(|| "true".to_owned());
            }
            matches.get_one::<String>(setting.key).cloned()
        };
        let given = SETTINGS.iter().filter_map(|setting| Some((setting.key, text(setting)?)));
        Ok(Self { config: matches.get_one::<PathBuf>(CONFIG).cloned(), given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flag that names the file of settings.
const CONFIG: &str = "config";

fn flag_of(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.key).long(setting.flag()).help(setting.help());
    if setting.is_switch() { arg.action(ArgAction::SetTrue) } else { arg.value_name(setting.value) }
}

impl ServeArgs {
    /// All layers, not yet checked.
    fn layers(&self) -> Result<Vec<RawSetting>, ConfigError> {
        read_layers(self.config.as_deref(), &self.given)
    }
}

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// What went wrong, as the one line to print.
    pub async fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Serve(args) => serve(&args).await.map_err(|error| server_error(&error)),
            Command::Demo(args) => demo::run(args).await,
            Command::Simulate(args) => simulate::run(args).await,
            Command::Import(args) => Box::pin(import::run(args)).await,
            Command::Sql(args) => sql::run(args).await,
            Command::Check(args) => Box::pin(check::run(args)).await,
            Command::Backup(args) => Box::pin(backup::run(args)).await,
            Command::User { command } => user::run(command),
            Command::Config { command: ConfigCommand::Show(args) } => show(&args),
        }
    }
}

fn server_error(error: &ServeError) -> CliError {
    let line = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    CliError::Server(line)
}

async fn serve(args: &ServeArgs) -> Result<(), ServeError> {
    let config = Config::resolve(&args.layers()?)?;
    telemetry::init_tracing(&config.log).map_err(ServeError::Log)?;
    for variable in unknown_variables()? {
        tracing::warn!("environment variable {variable} is no setting and means nothing");
    }
    let data_dir = config.data_dir.clone();
    let mut signals = Signals::listen().map_err(ServeError::Runtime)?;
    let mut server = tokio::select! {
        started = Server::start(config) => started?,
        name = signals.next() => {
            // What a start does is done again by the next one.
            console::note(&format!("{name}: stopping before the start has ended"));
            return Ok(());
        }
    };
    greet(&server, &data_dir.display().to_string());
    tokio::select! {
        name = signals.next() => console::note(&format!("{name}: flushing and stopping")),
        failed = server.failed() => return Err(failed),
    }
    // A second signal means now: the WAL keeps everything that was acknowledged.
    tokio::select! {
        stopped = server.shutdown() => stopped,
        _ = signals.next() => Ok(()),
    }
}

fn greet(server: &Server, data_dir: &str) {
    let (flight, http) = (server.flight_url(), server.http_url());
    let target = flight.replacen("grpc://", "http://", 1);
    let lines = [
        format!("Flight and Flight SQL  {flight}"),
        format!("JSON API               {http}/api/v1  {http}/openapi.json"),
        format!("Health and metrics     {http}/health/ready  {http}/metrics"),
        format!("Data directory         {data_dir}"),
        String::new(),
        "Next:".to_owned(),
        format!("  hexflight simulate --target {target}"),
        format!("  hexflight sql --target {target} \"SELECT type, count(*) FROM events GROUP BY type\""),
        format!(
            "  python -c \"import pyarrow.flight as f; c = f.connect('{flight}'); \
             print(c.do_get(f.Ticket(b'SELECT count(*) FROM events')).read_all())\""
        ),
    ];
    for line in lines {
        if console::say(&line).is_err() {
            return;
        }
    }
}

fn show(args: &ServeArgs) -> Result<(), CliError> {
    let failed = |error: ConfigError| server_error(&ServeError::from(error));
    let raw = args.layers().map_err(failed)?;
    for variable in unknown_variables().map_err(failed)? {
        console::note(&format!("environment variable {variable} is no setting and means nothing"));
    }
    let width = raw.iter().map(|setting| setting.text.len()).max().unwrap_or(0);
    for RawSetting { key, text, origin } in &raw {
        let text = if text.is_empty() { "-" } else { text };
        console::say(&format!("{key:<16}  {text:<width$}  {origin}"))?;
    }
    Config::resolve(&raw).map(drop).map_err(failed)
}

/// SIGINT and SIGTERM.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
