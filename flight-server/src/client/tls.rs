//! `TlsConnection`: how a client connects through TLS. tonic has the same behind features that would build rustls in another way for
//! every crate that uses it.

use std::{fmt, io, path::Path, sync::Arc};

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tonic::{
    codegen::http::Uri,
    transport::{Channel, Endpoint, Error},
};

/// Port of an address that names none: that of `https`.
const DEFAULT_PORT: u16 = 443;

/// Makes connections to servers whose certificates are believed.
#[derive(Clone)]
pub(super) struct TlsConnection {
    tls: TlsConnector,
}

impl TlsConnection {
    /// Believes the authorities of a file, or those of the system.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn trusting(authorities: Option<&Path>) -> Result<Self, String> {
        let roots = authorities.map_or_else(|| Ok(of_system()), of_file)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Connects an endpoint.
    pub(super) async fn connect(self, endpoint: &Endpoint) -> Result<Channel, Error> {
        let connect = move |uri: Uri| {
            let connection = self.clone();
            async move { connection.open(&uri).await.map(TokioIo::new) }
        };
        endpoint.connect_with_connector(tower::service_fn(connect)).await
    }

    async fn open(&self, uri: &Uri) -> io::Result<TlsStream<TcpStream>> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let socket = TcpStream::connect((host, uri.port_u16().unwrap_or(DEFAULT_PORT))).await?;
        socket.set_nodelay(true)?;
        self.tls.connect(name, socket).await
    }
}

fn of_file(path: &Path) -> Result<RootCertStore, String> {
    let at = |error: &dyn fmt::Display| format!("--tls-ca {}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_file_iter(path).map_err(|error| at(&error))? {
        roots.add(cert.map_err(|error| at(&error))?).map_err(|error| at(&error))?;
    }
    if roots.is_empty() { Err(at(&"has no certificate in PEM")) } else { Ok(roots) }
}

/// Certificates of the system that cannot be read are left out, as everywhere.
fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (_added, _ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
