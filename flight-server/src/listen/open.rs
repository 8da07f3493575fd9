//! `Open`: the connections of a port that have not ended, so that a shutdown can cut those that would hold it up.

use std::{collections::HashMap, sync::Arc};

use super::{Peer, WeakPeer};
use parking_lot::{Mutex, MutexGuard};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Open {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    peers: HashMap<u64, WeakPeer>,
    next: u64,
}

/// A connection that is open; dropped at its end.
#[derive(Debug)]
pub(super) struct OpenEntry {
    open: Arc<Open>,
    number: u64,
}

impl Open {
    /// Takes in a connection.
    pub(super) fn enter(self: &Arc<Self>, peer: &Peer) -> OpenEntry {
        let mut inner = self.lock();
        let number = inner.next;
        inner.next += 1;
        inner.peers.insert(number, peer.downgrade());
        drop(inner);
        OpenEntry { open: Arc::clone(self), number }
    }

    /// Cuts all that are open now; those to come are not touched.
    pub(crate) fn close_all(&self) {
        self.lock().peers.values().for_each(WeakPeer::close);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        self.open.lock().peers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_open_are_closed_and_later_ones_are_not() {
        let open = Arc::new(Open::default());
        let peers: Vec<Peer> = (0..3).map(|port| Peer::new(([127, 0, 0, 1], port).into())).collect();
        let ended = open.enter(&peers[0]);
        let _open = open.enter(&peers[1]);
        drop(ended);
        open.close_all();
        let _later = open.enter(&peers[2]);
        assert_eq!(peers.iter().map(Peer::is_closed).collect::<Vec<_>>(), [false, true, false]);
    }
}
