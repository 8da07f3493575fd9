//! `Place`: where statements are asked: a server somewhere, or an engine in this process over a data directory that no server
//! holds. The latter is a whole server on free loopback ports, so that everything behind it is the same; it only reads, and leaves the
//! directory as it is.

use std::{net::SocketAddr, path::Path};

use hexflight_engine::EngineError;

use super::args::SqlArgs;
use crate::{
    Config, Server,
    client::{Client, ServerAddress},
    console::CliError,
    serve_error::ServeError,
};

/// Limit on an engine in this process: it shares the machine with whatever else runs there. **Units**: bytes.
const MEMORY_LIMIT_BYTES: usize = 2 << 30;

/// What every data directory has. **Source**: `docs/formats.md`.
const TABLES: &str = "tables";

/// Where statements are asked, and the connection there once there is one.
#[derive(Debug)]
pub(super) struct Place {
    address: ServerAddress,
    client: Option<Client>,
    /// Only for a data directory.
    server: Option<Server>,
}

impl Place {
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
            Some(server) => server.shutdown().await.map_err(|error| CliError::Server(error.to_string())),
            None => Ok(()),
        }
    }
}

async fn start_over(data_dir: &Path) -> Result<Server, CliError> {
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
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let defaults = Config::default();
    let config = Config {
        data_dir: data_dir.to_owned(),
        flight_bind: any_port,
        http_bind: any_port,
        memory_limit_bytes: defaults.memory_limit_bytes.min(MEMORY_LIMIT_BYTES),
        ..defaults
    };
    Server::start_to_read(config).await.map_err(|error| match error {
        ServeError::Engine(EngineError::Locked { .. }) => {
            refuse("a server holds it; ask that server with --target URL")
        }
        error => CliError::Server(error.to_string()),
    })
}
