//! `Listener`: accepts the connections of one port. It never fails: where the system has no room for another connection it closes a
//! stranger's and waits a moment, instead of asking again at once for ever.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::net::{TcpListener, TcpStream};

use super::{Open, Peer, Protocol, Strangers, Tls, connection::Connection, guarded::Guarded};
use crate::log_limit::LogLimit;
use hexflight_engine::time::sleep;

/// How long to wait when the system has no room: the time in which a connection that was told to close does so.
const BACK_OFF: Duration = Duration::from_millis(100);

/// One port.
#[derive(Debug)]
pub(crate) struct Listener {
    protocol: Protocol,
    socket: TcpListener,
    strangers: Arc<Strangers>,
    open: Arc<Open>,
    tls: Option<Arc<Tls>>,
    failures: LogLimit,
}

impl Listener {
    /// Accepts what comes to `socket`, through TLS if there is some.
    pub(crate) fn new(
        protocol: Protocol,
        socket: TcpListener,
        strangers: Arc<Strangers>,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        Self { protocol, socket, strangers, open: Arc::default(), tls, failures: LogLimit::default() }
    }

    /// The connections that have not ended.
    pub(crate) fn open(&self) -> Arc<Open> {
        Arc::clone(&self.open)
    }

    /// The next connection.
    ///
    /// **Cancellation**: loses nothing.
    pub(crate) async fn accept(&self) -> Connection {
        loop {
            match self.socket.accept().await {
                Ok((socket, address)) => return self.connection(socket, Peer::new(address)),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => self.back_off(&error).await,
            }
        }
    }

    /// All connections.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Connection, Infallible>> {
        stream::unfold(self, |listener| async { Some((Ok(listener.accept().await), listener)) })
    }

    fn connection(&self, socket: TcpStream, peer: Peer) -> Connection {
        // Without it a small answer may wait for an acknowledgement; with an error the socket is gone anyway, which reading finds out.
        let _gone = socket.set_nodelay(true);
        let tls = self.tls.as_ref().map(|tls| tls.acceptor(self.protocol));
        let socket = Guarded::new(socket, peer.clone(), &self.strangers, &self.open);
        Connection::new(peer, socket, tls)
    }

    async fn back_off(&self, error: &io::Error) {
        let what = self.protocol;
        self.failures.log(|held_back| tracing::warn!(held_back, "{what:?} accepts no connection: {error}"));
        self.strangers.close_one();
        sleep(BACK_OFF).await;
    }
}

/// Whether the connection that was to be accepted is gone, which is no reason to wait with the next one.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
