//! `ServerAddress`: where a server is, and by whose word it is the right one.

use std::{env, path::PathBuf};

/// Variable with the file of certificates that are believed, where no flag names one.
const CA_VARIABLE: &str = "HEXFLIGHT_TLS_CA";

/// See the module.
#[derive(Debug, Clone)]
pub struct ServerAddress {
    /// `grpc://`, `grpc+tcp://` or `http://` with host and port; `grpc+tls://`, `grpcs://` or `https://` through TLS.
    pub url: String,
    /// File with the certificates of the authorities that are believed, in PEM; `None` believes those of the system.
    pub tls_ca: Option<PathBuf>,
}

impl ServerAddress {
    /// An address with the authorities that a flag names, else those of `HEXFLIGHT_TLS_CA`.
    #[must_use]
    pub fn new(url: impl Into<String>, tls_ca: Option<PathBuf>) -> Self {
        let variable = || env::var_os(CA_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { url: url.into(), tls_ca: tls_ca.or_else(variable) }
    }
}

impl From<&str> for ServerAddress {
    fn from(url: &str) -> Self {
        Self::new(url, None)
    }
}

impl From<&String> for ServerAddress {
    fn from(url: &String) -> Self {
        Self::new(url.as_str(), None)
    }
}

impl From<String> for ServerAddress {
    fn from(url: String) -> Self {
        Self::new(url, None)
    }
}

impl From<&Self> for ServerAddress {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}
