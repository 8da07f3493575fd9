//! The command line: what can be typed, and which command runs. Prints only through `console`.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use super::{
    backup, check, demo, import, simulate, sql,
    user::{self, UserCommand},
};
use crate::{
    config::{Config, ConfigError, RawSetting, read_layers, unknown_variables},
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
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// TOML file with settings
    #[arg(long, value_name = "FILE", env = "HEXFLIGHT_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for everything that is stored [default: ./hexflight-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Where Flight and Flight SQL listen; port 0 takes a free one [default: 127.0.0.1:8815]
    #[arg(long, value_name = "IP:PORT")]
    flight_bind: Option<String>,
    /// Where HTTP listens (JSON API, health, metrics) [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    http_bind: Option<String>,
    /// Memory for ingest and queries: a share of the machine's or a size such as 2GiB [default: 60%]
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,
    /// Largest message a client may send [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    max_message: Option<String>,
    /// Largest HTTP body a client may send [default: 8MiB]
    #[arg(long, value_name = "SIZE")]
    max_body: Option<String>,
    /// Largest HTTP body with a file to import [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    max_import_body: Option<String>,
    /// How far in the future an event may lie [default: 1h]
    #[arg(long, value_name = "DURATION")]
    max_future: Option<String>,
    /// Age at which events in memory are written to Parquet [default: 1m]
    #[arg(long, value_name = "DURATION")]
    flush_interval: Option<String>,
    /// Rows in memory at which they are sorted and written to Parquet [default: 1048576]
    #[arg(long, value_name = "ROWS")]
    generation_rows: Option<String>,
    /// Merge small Parquet files in the background [default: true]
    #[arg(long, value_name = "BOOL")]
    compaction: Option<String>,
    /// Bytes that merging may read and write per second, over time [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    compaction_rate: Option<String>,
    /// How long files that were merged into others stay, for other tools that still read them [default: 24h]
    #[arg(long, value_name = "DURATION")]
    vacuum_after: Option<String>,
    /// Disk space kept free for flushes when the write-ahead log has filled the disk [default: 128MiB, a 16th of the disk at most]
    #[arg(long, value_name = "SIZE")]
    reserve: Option<String>,
    /// Stop queries that run longer; 0 lets them run [default: 10m]
    #[arg(long, value_name = "DURATION")]
    query_timeout: Option<String>,
    /// Queries over many rows that run at once; more of them wait for their turn [default: 2 a core, at least 4]
    #[arg(long, value_name = "COUNT")]
    max_queries: Option<String>,
    /// File of users that may call, as `hexflight user` writes it, readable by its owner alone [default: everybody may]
    #[arg(long, value_name = "FILE")]
    auth_file: Option<String>,
    /// Certificate chain in PEM, for TLS on both ports; read again when it changes [default: no TLS]
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// Key of the certificate in PEM, readable by its owner alone
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Origins of web pages that may ask the HTTP API from a browser: https://a.example,http://localhost:3000, or * for all
    /// [default: none]
    #[arg(long, value_name = "ORIGINS")]
    cors_origins: Option<String>,
    /// Log filter, for example info or hexflight=debug,info [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Listen on addresses that other machines reach without authentication
    #[arg(long)]
    insecure: bool,
}

impl ServeArgs {
    /// All layers, not yet checked.
    fn layers(&self) -> Result<Vec<RawSetting>, ConfigError> {
        let texts = [
            ("data_dir", &self.data_dir),
            ("flight_bind", &self.flight_bind),
            ("http_bind", &self.http_bind),
            ("memory_limit", &self.memory_limit),
            ("max_message", &self.max_message),
            ("max_body", &self.max_body),
            ("max_import_body", &self.max_import_body),
            ("max_future", &self.max_future),
            ("flush_interval", &self.flush_interval),
            ("generation_rows", &self.generation_rows),
            ("compaction", &self.compaction),
            ("compaction_rate", &self.compaction_rate),
            ("vacuum_after", &self.vacuum_after),
            ("reserve", &self.reserve),
            ("query_timeout", &self.query_timeout),
            ("max_queries", &self.max_queries),
            ("auth_file", &self.auth_file),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("cors_origins", &self.cors_origins),
            ("log", &self.log),
        ];
        let given = texts.into_iter().filter_map(|(key, text)| Some((key, text.clone()?)));
        let mut flags: BTreeMap<&'static str, String> = given.collect();
        if self.insecure {
            flags.insert("insecure", "true".to_owned());
        }
        read_layers(self.config.as_deref(), &flags)
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
