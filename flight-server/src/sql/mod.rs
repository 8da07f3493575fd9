//! `hexflight sql`: one statement through Flight SQL, its result on stdout, rows and time on stderr.

mod format;

use std::time::Instant;

use clap::Args;

use crate::{
    client::Client,
    console::{self, CliError, Output, grouped, millis},
};

pub use format::{Format, ResultWriter, table_text};

/// Asks a server one SQL statement and prints the result.
#[derive(Debug, Clone, Args)]
pub struct SqlArgs {
    /// The statement, for example "SELECT type, count(*) FROM events GROUP BY type"
    pub statement: String,
    /// Server to ask, as http://HOST:PORT or grpc://HOST:PORT
    #[arg(long, default_value = "http://127.0.0.1:8815", env = "HEXFLIGHT_TARGET", hide_env_values = true)]
    pub target: String,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Say on stderr how long it took, also when the result is CSV or JSON
    #[arg(long)]
    pub timing: bool,
}

/// Runs the command.
///
/// # Errors
/// `Client` when the server cannot be reached or refuses the statement, `Io` when stdout fails; a reader that left is no error.
pub async fn run(args: SqlArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.target).await?;
    let started = Instant::now();
    let mut answer = client.query(&args.statement).await?;
    let mut output = Output::stdout();
    let mut writer = ResultWriter::new(args.format, answer.schema());
    let mut row_count = 0;
    while let Some(batch) = answer.next().await? {
        row_count += batch.num_rows();
        writer.write(batch, &mut output)?;
        if output.is_closed() {
            return Ok(());
        }
    }
    let elapsed = started.elapsed();
    writer.finish(&mut output)?;
    if args.timing || args.format == Format::Table {
        let rows = if row_count == 1 { "row" } else { "rows" };
        console::note(&format!("{} {rows} in {}", grouped(row_count as u64), millis(elapsed)));
    }
    Ok(())
}
