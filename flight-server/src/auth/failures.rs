//! `Failures`: slows down who guesses passwords. After some wrong ones of a user from one address, others of that user from there are not
//! looked at for a while; from elsewhere the user logs in as ever, so that nobody can lock a user out.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use blake3::Hash;
use parking_lot::{Mutex, MutexGuard};

use crate::listen::network_of;
use hexflight_engine::time::Instant;

/// Wrong passwords within a [`WINDOW`].
const FAILURES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// Pairs of user and address remembered: more than can be tried in a minute, as two verifications take 50 ms.
const PAIRS_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Failures {
    by_pair: Mutex<HashMap<(Hash, IpAddr), Window>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    failures: u32,
}

impl Window {
    /// How long until another password is looked at; `None` if it is now.
    fn closed_for(&self, now: Instant) -> Option<Duration> {
        let left = WINDOW.saturating_sub(now.saturating_duration_since(self.began));
        (self.failures >= FAILURES_MAX && !left.is_zero()).then_some(left)
    }
}

impl Failures {
    /// How long until another password of a user is looked at from there; `None` if it is now.
    pub(super) fn closed_for(&self, user: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        self.lock().get(&pair(user, address)).and_then(|window| window.closed_for(now))
    }

    /// Notes a wrong password.
    pub(super) fn note(&self, user: &str, address: IpAddr, now: Instant) {
        let mut by_pair = self.lock();
        if by_pair.len() >= PAIRS_MAX {
            by_pair.retain(|_, window| now.saturating_duration_since(window.began) < WINDOW);
        }
        if by_pair.len() >= PAIRS_MAX {
            // Those that are closed are what somebody who invents names would like forgotten.
            by_pair.retain(|_, window| window.closed_for(now).is_some());
        }
        if by_pair.len() >= PAIRS_MAX {
            by_pair.clear();
        }
        let window = by_pair.entry(pair(user, address)).or_insert(Window { began: now, failures: 0 });
        if now.saturating_duration_since(window.began) >= WINDOW {
            *window = Window { began: now, failures: 0 };
        }
        window.failures += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Hash, IpAddr), Window>> {
        self.by_pair.lock()
    }
}

/// A name of any length is a hash; an IPv6 address is its network.
fn pair(user: &str, address: IpAddr) -> (Hash, IpAddr) {
    (blake3::hash(user.as_bytes()), network_of(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexflight_engine::time;

    #[test]
    fn guesses_are_slowed_for_their_user_and_address_alone() {
        let failures = Failures::default();
        let start = time::now();
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.closed_for("ada", here, start), None);
            failures.note("ada", here, start);
        }
        assert_eq!(failures.closed_for("ada", here, start), Some(WINDOW));
        assert_eq!(failures.closed_for("ada", there, start), None);
        assert_eq!(failures.closed_for("bob", here, start), None);
        let later = start + WINDOW;
        assert_eq!(failures.closed_for("ada", here, later), None);
        failures.note("ada", here, later);
        assert_eq!(failures.closed_for("ada", here, later), None);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let failures = Failures::default();
        let start = time::now();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        (0..FAILURES_MAX).for_each(|_| failures.note("ada", address("2001:db8::1"), start));
        assert!(failures.closed_for("ada", address("2001:db8::2"), start).is_some());
        assert!(failures.closed_for("ada", address("2001:db8:0:1::2"), start).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let failures = Failures::default();
        let start = time::now();
        for guess in 0..2 * PAIRS_MAX {
            failures.note(&guess.to_string(), IpAddr::from([10, 0, 0, 1]), start);
        }
        assert!(failures.lock().len() <= PAIRS_MAX);
    }
}
