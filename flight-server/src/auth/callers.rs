//! `Callers`: over which connections which users call, so that the connections of a user who is removed can be closed.

use std::{collections::HashMap, sync::Arc};

use crate::listen::{Peer, WeakPeer};
use parking_lot::Mutex;

/// Connections by the name of the user.
#[derive(Debug, Default)]
pub(super) struct Callers {
    by_user: Mutex<HashMap<Arc<str>, Connections>>,
}

#[derive(Debug, Default)]
struct Connections {
    peers: Vec<WeakPeer>,
    /// How many there may be before those that ended are looked for.
    tidy_at: usize,
}

impl Callers {
    /// Notes that a user's call came over a connection.
    pub(super) fn note(&self, user: &Arc<str>, peer: &Peer) {
        if !peer.is_first_call_of(user) {
            return;
        }
        let mut by_user = self.by_user.lock();
        let connections = by_user.entry(Arc::clone(user)).or_default();
        if connections.peers.len() >= connections.tidy_at {
            connections.peers.retain(WeakPeer::is_alive);
            connections.tidy_at = 2 * connections.peers.len() + 16;
        }
        connections.peers.push(peer.downgrade());
    }

    /// Closes the connections of a user.
    pub(super) fn end(&self, user: &str) {
        let ended = self.by_user.lock().remove(user);
        ended.into_iter().flat_map(|connections| connections.peers).for_each(|peer| peer.close());
    }
}
