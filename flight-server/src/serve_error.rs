//! `ServeError`: why a server did not start, or did not stop cleanly.

use std::{io, net::SocketAddr, path::PathBuf};

use hexflight_engine::EngineError;

use crate::config::ConfigError;

/// Why a server did not start or did not stop cleanly. The text is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration is refused.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The log filter cannot be read.
    #[error("{0}")]
    Log(String),
    /// The runtime could not be started.
    #[error("cannot start the runtime: {0}; check the limits on threads and open files (ulimit -a)")]
    Runtime(io::Error),
    /// The address is in use.
    #[error(
        "{what} cannot listen on {address}: the port is taken; stop the other process or choose another with {flag} (port 0: any free one)"
    )]
    PortTaken {
        /// Which listener.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
    },
    /// The address cannot be bound for another reason.
    #[error("{what} cannot listen on {address}: {source}; choose another with {flag}")]
    Bind {
        /// Which listener.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("data directory {}: {advice}", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        advice: String,
    },
    /// Certificate and key cannot be used.
    #[error("tls_cert, tls_key: {0}")]
    Tls(String),
    /// The file of users cannot be used.
    #[error("auth_file = '{}': {detail}", path.display())]
    AuthFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do; never a password.
        detail: String,
    },
    /// The engine did not open or close.
    #[error("{0}")]
    Engine(#[from] EngineError),
    /// A listener ended by itself.
    #[error("{what} stopped: {detail}")]
    Listener {
        /// Which listener.
        what: &'static str,
        /// Why.
        detail: String,
    },
}
