//! `Interrupt`: the user's Ctrl-C, and SIGTERM, so that a query is stopped and a file half written is removed.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::console::CliError;

/// Hears SIGINT and SIGTERM from the time when it was made. The first one of a process takes their usual effect away for good.
pub(super) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// Begins to listen.
    ///
    /// # Errors
    /// `Io` when the system refuses.
    pub(super) fn listen() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind).map_err(|source| CliError::Io { action: "listen for signals".to_owned(), source })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Resolves with the first signal.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    pub(super) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Resolves with SIGTERM.
    pub(super) async fn terminated(&mut self) {
        self.terminate.recv().await;
    }
}
