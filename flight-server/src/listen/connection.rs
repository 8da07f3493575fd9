//! `Connection`: the bytes of a connection, in the clear or through TLS. The handshake of TLS goes on while others read and write, so that a client
//! that is slow with it holds up nobody; its bytes and its time are those of a stranger.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;

use super::{Peer, guarded::Guarded};

/// See the module.
pub(crate) struct Connection {
    peer: Peer,
    socket: Socket,
}

enum Socket {
    Plain(Guarded),
    /// The handshake is not over.
    Shaking(Box<Accept<Guarded>>),
    Tls(Box<TlsStream<Guarded>>),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(peer: Peer, socket: Guarded, tls: Option<TlsAcceptor>) -> Self {
        let socket = match tls {
            Some(tls) => Socket::Shaking(Box::new(tls.accept(socket))),
            None => Socket::Plain(socket),
        };
        Self { peer, socket }
    }

    /// The other end.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The socket, once the handshake is over.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<&mut Socket>> {
        if let Socket::Shaking(accept) = &mut self.socket {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            self.socket = Socket::Tls(Box::new(stream));
        }
        Poll::Ready(Ok(&mut self.socket))
    }
}

/// Calls carry their [`Peer`].
impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(self.poll_open(context))? {
            Socket::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Tls(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Shaking(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.poll_open(context))? {
            Socket::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Socket::Tls(socket) => Pin::new(socket).poll_write(context, bytes),
            Socket::Shaking(_) => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.poll_open(context))? {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(context),
            Socket::Tls(socket) => Pin::new(socket).poll_flush(context),
            Socket::Shaking(_) => Poll::Pending,
        }
    }

    /// A handshake that is not over has nothing to say at its end.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Tls(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Shaking(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.poll_open(context))? {
            Socket::Plain(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Socket::Tls(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Socket::Shaking(_) => Poll::Pending,
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(socket) => socket.is_write_vectored(),
            Socket::Tls(_) | Socket::Shaking(_) => true,
        }
    }
}
