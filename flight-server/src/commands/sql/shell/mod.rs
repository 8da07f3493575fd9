//! The prompt: a line editor with history and completion in front of a [`Session`].
//!
//! It keeps no result and prints through the session's sink.

mod editor;
mod completer;
mod vocabulary;
mod highlighter;
mod history;
mod prompt;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use reedline::{Reedline, Signal};
use tokio_util::task::AbortOnDropHandle;

use self::prompt::ShellPrompt;
use super::{
    complaint::Origin,
    interrupt::Interrupt,
    session::{Next, Session},
};
use crate::console::{self, CliError};
use hexflight_engine::tasks;

/// Reads and runs until the user leaves.
///
/// # Errors
/// `Client` when nothing answers at the start, `Io` when the terminal fails. What fails later is told at the prompt.
pub(super) async fn run(session: &mut Session) -> Result<Next, CliError> {
    let client = session.target.client().await?;
    console::note(&format!(
        r"hexflight {}, connected to {}; statements end with ;, \? is help, \q quits",
        env!("CARGO_PKG_VERSION"),
        client.url()
    ));
    let leave = Arc::new(AtomicBool::new(false));
    let _terminated = leave_on_sigterm(&leave)?;
    let mut editor = editor::editor(client, Arc::clone(&leave));
    loop {
        // The runtime's other threads go on: an engine in this process works while we wait for keys.
        let typed = tokio::task::block_in_place(|| read(&mut editor))?;
        let Some(typed) = typed else { return Ok(Next::Quit) };
        // What was pressed before this statement is not meant for it.
        session.interrupt = Interrupt::listen()?;
        match session.run(script_of(&typed), &Origin::Typed).await {
            Ok(Next::Go) => {}
            Ok(Next::Quit) => return Ok(Next::Quit),
            Err(CliError::Cancelled) => console::note("cancelled"),
            Err(error) => console::note(&format!("error: {error}")),
        }
        if leave.load(Ordering::Relaxed) {
            return Ok(Next::Quit);
        }
    }
}

/// What was typed; `None` when the user leaves.
fn read(editor: &mut Reedline) -> Result<Option<String>, CliError> {
    loop {
        let signal = editor.read_line(&ShellPrompt).map_err(|error| CliError::Io {
            action: "read from the terminal".to_owned(),
            source: std::io::Error::other(error),
        })?;
        match signal {
            Signal::Success(typed) => {
                // Kept before it runs: whatever happens then, it can be recalled. An editor without a file has nothing to do.
                let _not_kept = editor.sync_history();
                return Ok(Some(typed));
            }
            // It clears the line; reedline has done so.
            Signal::CtrlC => {}
            _ => return Ok(None),
        }
    }
}

/// What people type at prompts of all kinds.
fn script_of(typed: &str) -> &str {
    match typed.trim().trim_end_matches(';') {
        "quit" | "exit" => r"\q",
        "help" => r"\?",
        _ => typed,
    }
}

/// The handler of a running query takes SIGTERM's usual effect away; at the prompt it still has to end the shell.
fn leave_on_sigterm(leave: &Arc<AtomicBool>) -> Result<AbortOnDropHandle<()>, CliError> {
    let mut interrupt = Interrupt::listen()?;
    let leave = Arc::clone(leave);
    Ok(AbortOnDropHandle::new(tasks::spawn(async move {
        interrupt.terminated().await;
        leave.store(true, Ordering::Relaxed);
    })))
}
