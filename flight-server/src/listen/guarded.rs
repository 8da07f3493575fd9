//! `Guarded`: a socket that reads little of a stranger, and ends when its time is up or when its [`Peer`] is closed.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{Open, Peer, Strangers, open::OpenEntry, peer::Standing};
use hexflight_engine::time::{Sleep, sleep};

/// What is read of a stranger at once: room for the heads of some ten calls. **Units**: bytes.
const PIECE_BYTES: usize = 1 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Guarded {
    socket: TcpStream,
    peer: Peer,
    strangers: Arc<Strangers>,
    number: u64,
    _open: OpenEntry,
    /// What may still be read of a stranger. **Units**: bytes.
    bytes_left: usize,
    /// Whether the others have had their turn since the last piece.
    has_yielded: bool,
    /// When a stranger's time is up; gone once it is none.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    pub(super) fn new(socket: TcpStream, peer: Peer, strangers: &Arc<Strangers>, open: &Arc<Open>) -> Self {
        let entry = open.enter(&peer);
        let number = strangers.enter(&peer);
        let limits = strangers.limits();
        Self {
            socket,
            peer,
            strangers: Arc::clone(strangers),
            number,
            _open: entry,
            bytes_left: limits.bytes_max,
            has_yielded: false,
            deadline: Some(Box::pin(sleep(limits.time_max))),
        }
    }

    /// What the connection may do now. Whoever is told so is woken when it changes.
    fn poll_standing(&mut self, context: &mut Context<'_>) -> io::Result<Standing> {
        self.peer.wake_on_change(context.waker());
        let standing = self.peer.standing();
        match standing {
            Standing::Closed => return Err(io::ErrorKind::ConnectionAborted.into()),
            Standing::Stranger => {
                let deadline = self.deadline.as_mut();
                if deadline.is_some_and(|deadline| deadline.as_mut().poll(context).is_ready()) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Standing::Known => {
                if self.deadline.take().is_some() {
                    self.strangers.leave(self.number);
                }
            }
        }
        Ok(standing)
    }

    /// Reads no more than a stranger has left, and nothing while nothing is left: what it has sent is being looked at. Between two pieces others
    /// have their turn, the calls of the first piece too: a stranger is cut off before hundreds of calls have begun.
    fn poll_read_stranger(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(self.bytes_left).min(PIECE_BYTES);
        if room == 0 {
            return Poll::Pending;
        }
        self.has_yielded = !self.has_yielded;
        if self.has_yielded {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        let read = Pin::new(&mut self.socket).poll_read(context, &mut part);
        let bytes = part.filled().len();
        buffer.advance(bytes);
        self.bytes_left -= bytes;
        read
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.strangers.leave(self.number);
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.poll_standing(context)? {
            Standing::Stranger => self.poll_read_stranger(context, buffer),
            _ => Pin::new(&mut self.socket).poll_read(context, buffer),
        }
    }
}

/// A reader that takes nothing is noticed here: nobody asks to read while an answer cannot be written.
impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_standing(context)?;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_standing(context)?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_standing(context)?;
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
