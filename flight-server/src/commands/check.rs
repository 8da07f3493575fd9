//! `hexflight check`: looks at every stored object of a data directory and says what is wrong.

use clap::Args;
use hexflight_engine::{CheckSummary, check};

use crate::{
    config::data_dir,
    console::{self, CliError, grouped},
};

/// Looks at every stored object of a data directory, also while a server runs over it. Changes nothing.
///
/// Prints one line for each object that is damaged or missing, with what can still be had, and then exits with 1.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// The folder to look at [default: ./hexflight-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// `DataDir` when the folder cannot be read at all, `Damaged` when something was found.
pub(crate) async fn run(args: CheckArgs) -> Result<(), CliError> {
    let data_dir = data_dir(args.data_dir.as_ref()).map_err(|error| CliError::DataDir(error.to_string()))?;
    let report = check(&data_dir).await.map_err(|error| CliError::DataDir(error.to_string()))?;
    for finding in &report.findings {
        console::say(&finding.to_string())?;
    }
    for note in &report.notes {
        console::say(&format!("note: {note}"))?;
    }
    console::say(&summary_line(&report.summary))?;
    match report.findings.len() {
        0 => Ok(()),
        findings => Err(CliError::Damaged { findings, data_dir }),
    }
}

fn summary_line(summary: &CheckSummary) -> String {
    let CheckSummary {
        versions,
        files,
        file_rows,
        file_bytes,
        unchecked_files,
        wal_objects,
        wal_rows,
        streams,
    } = *summary;
    format!(
        "looked at {} Delta versions; {} files with {} rows, {} bytes, {} of them without checksums; {} WAL objects with {} rows \
         in no file yet; {} registered streams",
        grouped(versions),
        grouped(files),
        grouped(file_rows),
        grouped(file_bytes),
        grouped(unchecked_files),
        grouped(wal_objects),
        grouped(wal_rows),
        grouped(streams)
    )
}
