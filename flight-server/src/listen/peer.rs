//! `Peer`: what the server knows of the other end of a connection. The connection asks it whether to go on, the gates tell it who called.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    task::Waker,
};

use futures::task::AtomicWaker;
use parking_lot::Mutex;

/// Refused calls after which a stranger's connection is closed: more than a person needs to find the right password.
const REFUSALS_MAX: u32 = 16;

/// Logins of a stranger's connection at once; each holds the head of a request and a message.
const LOGINS_MAX: u32 = 4;

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Little: nobody knows whose it is.
    Stranger,
    /// All that its calls may.
    Known,
    /// Nothing any more.
    Closed,
}

const STRANGER: u8 = 0;
const KNOWN: u8 = 1;
const CLOSED: u8 = 2;

/// The other end of one connection. Clones are of the same one.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    standing: AtomicU8,
    refusals: AtomicU32,
    /// Logins that have begun and not ended.
    logins: AtomicU32,
    /// Whose calls came over it: one user, but for proxies.
    users: Mutex<Vec<Arc<str>>>,
    /// The task that reads and writes the connection.
    waker: AtomicWaker,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let shared = Shared {
            address,
            standing: AtomicU8::new(STRANGER),
            refusals: AtomicU32::new(0),
            logins: AtomicU32::new(0),
            users: Mutex::default(),
            waker: AtomicWaker::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Where the connection comes from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// A call was let in: from now on the connection is no stranger's.
    pub(crate) fn welcome(&self) {
        let standing = &self.shared.standing;
        if standing.load(Ordering::Acquire) == STRANGER
            && standing.compare_exchange(STRANGER, KNOWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            self.shared.waker.wake();
        }
    }

    /// A call was refused. A stranger that goes on regardless is cut off.
    pub(crate) fn refuse(&self) {
        let before = self.shared.refusals.fetch_add(1, Ordering::Relaxed);
        if before >= REFUSALS_MAX && self.is_stranger() {
            self.close();
        }
    }

    /// Begins a login that waits for its message; `None` when a stranger waits with too many.
    pub(crate) fn begin_login(&self) -> Option<LoginTurn> {
        let before = self.shared.logins.fetch_add(1, Ordering::AcqRel);
        let turn = LoginTurn { shared: Arc::clone(&self.shared) };
        (before < LOGINS_MAX || !self.is_stranger()).then_some(turn)
    }

    /// Cuts the connection off.
    pub(crate) fn close(&self) {
        self.shared.standing.store(CLOSED, Ordering::Release);
        self.shared.waker.wake();
    }

    /// Whether no call was let in yet.
    pub(crate) fn is_stranger(&self) -> bool {
        self.standing() == Standing::Stranger
    }

    /// Whether a user calls over it for the first time.
    pub(crate) fn is_first_call_of(&self, user: &Arc<str>) -> bool {
        let mut users = self.shared.users.lock();
        let is_first = !users.contains(user);
        if is_first {
            users.push(Arc::clone(user));
        }
        is_first
    }

    /// A handle that does not keep what is known of a connection that ended.
    pub(crate) fn downgrade(&self) -> WeakPeer {
        WeakPeer { shared: Arc::downgrade(&self.shared) }
    }

    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.standing() == Standing::Closed
    }

    pub(super) fn standing(&self) -> Standing {
        match self.shared.standing.load(Ordering::Acquire) {
            STRANGER => Standing::Stranger,
            KNOWN => Standing::Known,
            _ => Standing::Closed,
        }
    }

    /// Wakes this task when the standing changes. Register first and look at the standing then: a change in between is not missed.
    pub(super) fn wake_on_change(&self, waker: &Waker) {
        self.shared.waker.register(waker);
    }
}

/// A login that has begun; dropped at its end.
#[derive(Debug)]
pub(crate) struct LoginTurn {
    shared: Arc<Shared>,
}

impl Drop for LoginTurn {
    fn drop(&mut self) {
        self.shared.logins.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A [`Peer`] as long as its connection lasts.
#[derive(Debug)]
pub(crate) struct WeakPeer {
    shared: Weak<Shared>,
}

impl WeakPeer {
    pub(crate) fn is_alive(&self) -> bool {
        self.shared.strong_count() > 0
    }

    /// Cuts the connection off.
    pub(crate) fn close(&self) {
        if let Some(shared) = self.shared.upgrade() {
            Peer { shared }.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_that_goes_on_is_cut_off_and_a_known_caller_is_not() {
        let (stranger, known) = (peer(), peer());
        known.welcome();
        for _ in 0..REFUSALS_MAX {
            stranger.refuse();
            known.refuse();
        }
        assert_eq!(stranger.standing(), Standing::Stranger);
        stranger.refuse();
        known.refuse();
        assert_eq!(stranger.standing(), Standing::Closed);
        assert_eq!(known.standing(), Standing::Known);
    }

    #[test]
    fn a_stranger_waits_with_few_logins_at_once() {
        let peer = peer();
        let mut turns: Vec<_> = (0..LOGINS_MAX).map(|_| peer.begin_login().unwrap()).collect();
        assert!(peer.begin_login().is_none());
        turns.pop();
        assert!(peer.begin_login().is_some());
        peer.welcome();
        turns.extend((0..100).map(|_| peer.begin_login().unwrap()));
    }

    #[test]
    fn closed_is_for_ever() {
        let peer = peer();
        peer.close();
        peer.welcome();
        assert_eq!(peer.standing(), Standing::Closed);
    }

    fn peer() -> Peer {
        Peer::new(([127, 0, 0, 1], 1).into())
    }
}
