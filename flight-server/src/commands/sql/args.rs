//! Arguments of `hexflight sql`.

use std::path::PathBuf;

use clap::Args;

use super::format::OutputFormat;

/// Where a server is looked for when nobody says otherwise.
const TARGET_DEFAULT: &str = "http://127.0.0.1:8815";

/// Variable that replaces the default. Read here and not by clap, which would count it as a conflict with `--data-dir`.
const TARGET_VARIABLE: &str = "HEXFLIGHT_TARGET";

/// Asks SQL: statements from the command line, a file or stdin; without any, at a prompt.
#[derive(Debug, Clone, Args)]
pub struct SqlArgs {
    /// Statements, for example "SELECT type, count(*) FROM events GROUP BY type"; several are separated by ;
    pub statement: Option<String>,
    /// Read the statements from a file; - is stdin
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with = "statement")]
    pub file: Option<PathBuf>,
    /// Write the results to a file, which appears when all of them are complete
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Server to ask, as http://HOST:PORT or grpc://HOST:PORT [env: HEXFLIGHT_TARGET] [default: http://127.0.0.1:8815]
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Certificates of the authorities to believe, in PEM, for grpc+tls:// and https:// [default: those of the system]
    #[arg(long, value_name = "FILE", env = "HEXFLIGHT_TLS_CA", hide_env_values = true)]
    pub tls_ca: Option<PathBuf>,
    /// Ask the data directory of a server that is not running, without starting one
    #[arg(long, value_name = "FOLDER", conflicts_with = "target")]
    pub data_dir: Option<PathBuf>,
    /// How results are printed; h3 cells stay the integers that SQL compares
    #[arg(long, value_enum, default_value_t)]
    pub format: OutputFormat,
    /// Say on stderr how long each statement took, also when its result is not a table
    #[arg(long)]
    pub timing: bool,
    /// Say on stderr how far a slow statement is, also when that is not a terminal
    #[arg(long)]
    pub progress: bool,
}

impl SqlArgs {
    /// The server's address: flag, environment, default.
    pub(super) fn target(&self) -> String {
        let given = self.target.clone().or_else(|| std::env::var(TARGET_VARIABLE).ok());
        given.filter(|url| !url.is_empty()).unwrap_or_else(|| TARGET_DEFAULT.to_owned())
    }
}
