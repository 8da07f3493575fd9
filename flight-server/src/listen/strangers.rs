//! `Strangers`: the connections on which no call was let in yet, over both ports. When there are too many, one gives way to the newest:
//! the oldest of the address that has most, so that one machine that opens thousands closes its own and nobody else's.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};

use super::{Peer, network_of, peer::Standing};
use parking_lot::{Mutex, MutexGuard};

/// What the connections of strangers may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrangerLimits {
    /// Connections at once.
    pub connections_max: usize,
    /// What is read of one before a call on it is let in; then reading waits. **Units**: bytes.
    pub bytes_max: usize,
    /// How long one may last.
    pub time_max: Duration,
}

impl Default for StrangerLimits {
    /// Bytes for a login, a TLS handshake and the headers of many calls; the connections together then take 4 MiB, and some
    /// 30 KiB of buffers each. Half a minute is what slow networks need for a TLS handshake and a login.
    fn default() -> Self {
        Self { connections_max: 64, bytes_max: 64 << 10, time_max: Duration::from_secs(30) }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Strangers {
    limits: StrangerLimits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the order in which they came.
    peers: BTreeMap<u64, Peer>,
    next: u64,
}

impl Strangers {
    pub(crate) fn new(limits: StrangerLimits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    pub(super) fn limits(&self) -> &StrangerLimits {
        &self.limits
    }

    /// Takes in a connection; returns its number.
    pub(super) fn enter(&self, peer: &Peer) -> u64 {
        let mut inner = self.lock();
        inner.peers.retain(|_, peer| peer.standing() == Standing::Stranger);
        if inner.peers.len() >= self.limits.connections_max {
            inner.close_one();
        }
        let number = inner.next;
        inner.next += 1;
        inner.peers.insert(number, peer.clone());
        number
    }

    /// Forgets a connection that ended.
    pub(super) fn leave(&self, number: u64) {
        self.lock().peers.remove(&number);
    }

    /// Closes one, where the system has no room for more.
    pub(super) fn close_one(&self) {
        self.lock().close_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    fn close_one(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for peer in self.peers.values() {
            *counts.entry(network_of(peer.address().ip())).or_default() += 1;
        }
        let most = counts.values().max().copied();
        let busiest = |peer: &Peer| counts.get(&network_of(peer.address().ip())).copied() == most;
        let oldest = self.peers.iter().find(|(_, peer)| busiest(peer)).map(|(number, _)| *number);
        if let Some(peer) = oldest.and_then(|number| self.peers.remove(&number)) {
            peer.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_the_busiest_address_gives_way() {
        let strangers = Strangers::new(StrangerLimits { connections_max: 3, ..StrangerLimits::default() });
        let quiet = entered(&strangers, 1);
        let busy: Vec<Peer> = (0..9).map(|_| entered(&strangers, 2)).collect();
        assert_eq!(quiet.standing(), Standing::Stranger);
        let closed = busy.iter().filter(|peer| peer.standing() == Standing::Closed).count();
        assert_eq!(closed, 7);
        assert!(busy[7..].iter().all(Peer::is_stranger));
        assert_eq!(strangers.lock().peers.len(), 3);
    }

    #[test]
    fn who_is_known_does_not_count() {
        let strangers = Strangers::new(StrangerLimits { connections_max: 1, ..StrangerLimits::default() });
        let known: Vec<Peer> = (0..5)
            .map(|_| {
                let peer = entered(&strangers, 1);
                peer.welcome();
                peer
            })
            .collect();
        assert!(known.iter().all(|peer| peer.standing() == Standing::Known));
        assert_eq!(strangers.lock().peers.len(), 1);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let strangers = Strangers::new(StrangerLimits { connections_max: 3, ..StrangerLimits::default() });
        let quiet = entered(&strangers, 1);
        let busy: Vec<Peer> =
            (0..9).map(|host| enter(&strangers, ([0x2001, 0xdb8, 0, 0, 0, 0, 0, host], 1).into())).collect();
        assert_eq!(quiet.standing(), Standing::Stranger);
        assert!(busy[..7].iter().all(|peer| peer.standing() == Standing::Closed));
    }

    fn entered(strangers: &Strangers, host: u8) -> Peer {
        enter(strangers, ([10, 0, 0, host], 1).into())
    }

    fn enter(strangers: &Strangers, address: std::net::SocketAddr) -> Peer {
        let peer = Peer::new(address);
        strangers.enter(&peer);
        peer
    }
}
