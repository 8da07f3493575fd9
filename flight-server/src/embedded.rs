//! `EmbeddedServer`: a server in this process, on free ports of the loopback interface, for the demo and for SQL over a folder that no server holds.
//! Everything behind it is the same as in a server of its own.

use std::{net::SocketAddr, path::Path};

use crate::{config::Config, console::CliError, serve_error::ServeError, server::Server};

/// Limit on its memory: it shares the machine with whatever else runs there. **Units**: bytes.
const MEMORY_LIMIT_BYTES: usize = 2 << 30;

/// A running server.
#[derive(Debug)]
pub(crate) struct EmbeddedServer {
    server: Server,
}

impl EmbeddedServer {
    /// Starts on `data_dir`, and returns when everything in it can be queried.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) async fn start(data_dir: &Path) -> Result<Self, ServeError> {
        Server::start(config(data_dir)).await.map(|server| Self { server })
    }

    /// As [`Self::start`], for a folder that stays as it is.
    ///
    /// # Errors
    /// As [`Server::start_to_read`].
    pub(crate) async fn start_to_read(data_dir: &Path) -> Result<Self, ServeError> {
        Server::start_to_read(config(data_dir)).await.map(|server| Self { server })
    }

    /// Address for Flight clients.
    pub(crate) fn flight_url(&self) -> String {
        self.server.flight_url()
    }

    /// Flushes what is in memory and stops.
    ///
    /// # Errors
    /// `Server` when it does not stop cleanly.
    pub(crate) async fn stop(self) -> Result<(), CliError> {
        self.server.shutdown().await.map_err(|error| CliError::Server(error.to_string()))
    }
}

fn config(data_dir: &Path) -> Config {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let defaults = Config::default();
    Config {
        data_dir: data_dir.to_owned(),
        flight_bind: any_port,
        http_bind: any_port,
        memory_limit_bytes: defaults.memory_limit_bytes.min(MEMORY_LIMIT_BYTES),
        ..defaults
    }
}
