//! `EmbeddedServer`: a server in this process, on free ports, over a directory of its own.

use std::{net::SocketAddr, path::Path};

use crate::{Config, Server, console::CliError};

/// Limit on the server's memory: the demo shares the machine with whatever else runs there.
const MEMORY_LIMIT_BYTES: usize = 2 << 30;

/// A running server.
#[derive(Debug)]
pub(super) struct EmbeddedServer {
    server: Server,
}

impl EmbeddedServer {
    /// Starts on `data_dir`, and returns when everything in it can be queried.
    ///
    /// # Errors
    /// `Server` when it does not start.
    pub(super) async fn start(data_dir: &Path) -> Result<Self, CliError> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let defaults = Config::default();
        let config = Config {
            data_dir: data_dir.to_owned(),
            flight_bind: any_port,
            http_bind: any_port,
            memory_limit_bytes: defaults.memory_limit_bytes.min(MEMORY_LIMIT_BYTES),
            ..defaults
        };
        let server = Server::start(config).await.map_err(|error| CliError::Server(error.to_string()))?;
        Ok(Self { server })
    }

    /// Address for Flight clients.
    pub(super) fn flight_url(&self) -> String {
        self.server.flight_url()
    }

    /// Flushes what is in memory and stops.
    ///
    /// # Errors
    /// `Server` when it does not stop cleanly.
    pub(super) async fn stop(self) -> Result<(), CliError> {
        self.server.shutdown().await.map_err(|error| CliError::Server(error.to_string()))
    }
}
