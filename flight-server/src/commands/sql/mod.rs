//! `hexflight sql`: statements in, results out, through Flight SQL. From the command line, a file or a pipe they run in order
//! up to the first error; at a terminal there is a prompt.
//!
//! ```text
//! args ─┬─ statement, -f, stdin ─▶ script (items) ─┐
//!       └─ shell (prompt, editor)  ─▶ script ──────┤
//!                                                  ▼
//!       target ◀── session ─┬─ statement ─▶ watch (progress), format ─▶ sink (stdout or file)
//!   (server or folder)      └─ command ───▶ describe, settings
//! ```

mod args;
mod lexer;
mod script;
mod complaint;
mod command;
mod target;
mod sink;
mod format;
mod watch;
mod interrupt;
mod statement;
mod describe;
mod session;
mod shell;

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use self::{
    complaint::Origin,
    session::{Next, Session},
};
use crate::console::CliError;

pub use args::SqlArgs;
pub use format::{OutputFormat, table_text};

/// Runs the command.
///
/// # Errors
/// `Client` when the server cannot be reached, `Statement` when it refuses one, `Io` when the output fails; a reader that left
/// is no error.
pub async fn run(args: SqlArgs) -> Result<(), CliError> {
    let scripted = args.statement.is_some() || args.file.is_some();
    // The editor draws on stderr and reads keys from stdin.
    let interactive = !scripted && io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut session = Session::open(&args, interactive).await?;
    let outcome = match (&args.statement, &args.file) {
        _ if interactive => shell::run(&mut session).await,
        (Some(statement), _) if script::items(statement).is_empty() => {
            Err(CliError::Statement("no statement given".to_owned()))
        }
        (Some(statement), _) => session.run(statement, &Origin::Typed).await,
        (None, Some(path)) => session.run_file(path).await,
        (None, None) => session.run_file(Path::new("-")).await,
    };
    session.close(outcome.map(|_: Next| ())).await
}
