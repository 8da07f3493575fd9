//! `Target`: where statements are asked: a server somewhere, or an engine in this process over a data directory that no server
//! holds. The latter only reads, and leaves the directory as it is.

use std::path::Path;

use hexflight_engine::EngineError;

use super::args::SqlArgs;
use crate::{
    client::{Client, ServerAddress},
    console::CliError,
    embedded::EmbeddedServer,
    serve_error::ServeError,
};

/// What every data directory has. **Source**: `docs/formats.md`.
const TABLES: &str = "tables";

/// Where statements are asked, and the connection there once there is one.
#[derive(Debug)]
pub(super) struct Target {
    address: ServerAddress,
    client: Option<Client>,
    /// Only for a data directory.
    server: Option<EmbeddedServer>,
}

impl Target {
    /// Finds or starts the server that the arguments name. Does not connect yet.
    ///
    /// # Errors
    /// `Argument` for a folder that is no data directory, `Server` when the engine does not start.
    pub(super) async fn of(args: &SqlArgs) -> Result<Self, CliError> {
        let Some(data_dir) = &args.data_dir else {
            let address = ServerAddress::new(args.target(), args.tls_ca.clone());
            return Ok(Self { address, client: None, server: None });
        };
        let server = start_over(data_dir).await?;
        Ok(Self { address: server.flight_url().into(), client: None, server: Some(server) })
    }

    /// The connection; made now if there is none or it was lost.
    ///
    /// # Errors
    /// `Client` when nothing answers.
    pub(super) async fn client(&mut self) -> Result<Client, CliError> {
        if self.client.is_none() {
            self.client = Some(Client::connect(&self.address).await?);
        }
        self.client.clone().ok_or(CliError::Cancelled)
    }

    /// Forgets a connection that failed, so that the next statement makes another.
    pub(super) fn disconnect(&mut self) {
        self.client = None;
    }

    /// Stops the engine, if it is in this process.
    ///
    /// # Errors
    /// `Server` when it does not stop cleanly.
    pub(super) async fn close(self) -> Result<(), CliError> {
        drop(self.client);
        match self.server {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}

async fn start_over(data_dir: &Path) -> Result<EmbeddedServer, CliError> {
    let refuse = |rule: &str| CliError::Argument {
        field: "data-dir",
        value: data_dir.display().to_string(),
        rule: rule.to_owned(),
    };
    // Opening would create it.
    if !data_dir.is_dir() {
        return Err(refuse("there is no such folder"));
    }
    if !data_dir.join(TABLES).is_dir() {
        return Err(refuse("not a data directory of Hexflight: it has no folder 'tables'"));
    }
    EmbeddedServer::start_to_read(data_dir).await.map_err(|error| match error {
        ServeError::Engine(EngineError::Locked { .. }) => {
            refuse("a server holds it; ask that server with --target URL")
        }
        error => CliError::Server(error.to_string()),
    })
}
