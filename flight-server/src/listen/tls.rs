//! TLS on the ports: certificate and key of two files, read again when they change. A pair that is bad, or that is only half written,
//! leaves the one before.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};
use tokio_util::sync::CancellationToken;

use crate::stamp::{Stamp, stamp};
use hexflight_engine::{
    disk, tasks,
    time::{self, MissedTickBehavior},
};

/// How often the files are looked at. They are read when both were the same twice.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Permission bits that a key may not have: those of everybody, and those of its group unless it is root's (as PostgreSQL has it, so that a
/// key that root hands to a service's group works).
const OTHERS: u32 = 0o007;
const GROUP: u32 = 0o070;

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/2 alone.
    Grpc,
    /// HTTP/1.1.
    Http,
}

/// The pair of files, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those between it and its authority.
    pub cert: PathBuf,
    /// Its key, which nobody but its owner may read.
    pub key: PathBuf,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Configs>,
}

#[derive(Debug, Clone)]
struct Configs {
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the pair.
    ///
    /// # Errors
    /// What is wrong with which file; never anything of the key.
    pub(crate) fn of_files(files: TlsFiles) -> Result<Self, String> {
        let current = RwLock::new(configs(&files)?);
        Ok(Self { files, current })
    }

    /// What accepts the next connection.
    pub(super) fn acceptor(&self, protocol: Protocol) -> TlsAcceptor {
        let current = self.current.read();
        TlsAcceptor::from(Arc::clone(match protocol {
            Protocol::Grpc => &current.grpc,
            Protocol::Http => &current.http,
        }))
    }

    /// Looks at the files until `stop`.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What was read at the start may have changed before the first look.
        let mut read = (None, None);
        let (mut seen, mut failure) = (read, String::new());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = self.stamps().await;
            if now != read && now == seen {
                // A pair that could not be read is tried again: there may have been no descriptor for it.
                match self.reload().await {
                    Ok(()) => (read, failure) = (now, String::new()),
                    Err(error) if failure != error => {
                        tracing::error!("TLS: {error}; the certificate stays the one that was read before");
                        failure = error;
                    }
                    Err(_) => {}
                }
            }
            seen = now;
        }
    }

    async fn stamps(&self) -> (Option<Stamp>, Option<Stamp>) {
        let files = self.files.clone();
        tasks::spawn_blocking(move || (stamp(&files.cert), stamp(&files.key))).await.unwrap_or_default()
    }

    async fn reload(&self) -> Result<(), String> {
        let files = self.files.clone();
        let read = tasks::spawn_blocking(move || configs(&files)).await;
        let configs = read.unwrap_or_else(|error| Err(error.to_string()))?;
        *self.current.write() = configs;
        tracing::info!("the certificate {} is used from now on", self.files.cert.display());
        Ok(())
    }
}

fn configs(files: &TlsFiles) -> Result<Configs, String> {
    check_private(&files.key)?;
    let at = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let certs = CertificateDer::pem_file_iter(&files.cert).map_err(|error| at(&files.cert, &error))?;
    let certs: Vec<_> = certs.collect::<Result<_, _>>().map_err(|error| at(&files.cert, &error))?;
    if certs.is_empty() {
        return Err(at(&files.cert, &"has no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| at(&files.key, &error))?;
    let pair = format!("{} and {}", files.cert.display(), files.key.display());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certs, key))
        .map_err(|error| format!("{pair}: {error}"))?;
    let of = |protocols: &[&[u8]]| {
        let mut config = config.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    };
    Ok(Configs { grpc: of(&[b"h2"]), http: of(&[b"http/1.1"]) })
}

fn check_private(key: &Path) -> Result<(), String> {
    let metadata = disk::metadata(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let refused = if metadata.uid() == 0 { OTHERS } else { OTHERS | GROUP };
    if metadata.mode() & refused != 0 {
        let (path, mode) = (key.display(), metadata.mode() & 0o777);
        return Err(format!("{path}: others may read the key (mode {mode:03o}); run: chmod 600 {path}"));
    }
    Ok(())
}
