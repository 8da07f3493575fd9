//! `hexflight backup`: copies a data directory while a server may run over it, and says what the copy holds.

use std::path::PathBuf;

use clap::Args;
use hexflight_engine::{BackupSummary, backup};

use crate::{
    config::data_dir,
    console::{self, CliError, grouped},
};

/// Copies a data directory into a new folder, also while a server runs over it.
///
/// Every event that was acknowledged before the command began is in the copy. To restore it, start a server over it, or over a
/// copy of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// The folder to copy [default: ./hexflight-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Where the copy goes: a folder that is new or empty
    #[arg(value_name = "DIR")]
    into: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// `DataDir` when nothing can be copied, `Damaged` when the copy is as damaged as the original.
pub(crate) async fn run(args: BackupArgs) -> Result<(), CliError> {
    let data_dir = data_dir(args.data_dir.as_ref()).map_err(|error| CliError::DataDir(error.to_string()))?;
    let summary =
        backup(&data_dir, &args.into).await.map_err(|error| CliError::DataDir(error.to_string()))?;
    let BackupSummary { objects, bytes, rows, version, findings } = summary;
    for finding in &findings {
        console::say(&finding.to_string())?;
    }
    console::say(&format!(
        "copied {} rows in {} objects, {} bytes, Delta version {version}, from {} into {}",
        grouped(rows),
        grouped(objects as u64),
        grouped(bytes),
        data_dir.display(),
        args.into.display()
    ))?;
    match findings.len() {
        0 => Ok(()),
        findings => Err(CliError::Damaged { findings, data_dir }),
    }
}
