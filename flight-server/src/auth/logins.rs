//! `Logins`: verifies passwords, a few at a time, and remembers for a while those that were right: clients that send a password with every
//! request would wait 50 ms for each.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use blake3::Hash;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Denied,
    password::Memory,
    users::{Key, User, Users},
};
use crate::listen::network_of;
use hexflight_engine::{
    tasks,
    time::{self, Instant},
};

/// Verifications at a time; each takes 19 MiB, which strangers cause.
const AT_A_TIME: usize = 2;

/// Logins that wait for their turn: some seconds' worth. Each holds the head of a request.
const WAITING_MAX: usize = 256;

/// Of these from one network: one that sends nothing else does not keep all others out.
const WAITING_OF_NETWORK_MAX: usize = 128;

/// How long a right password is remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);

/// Right passwords remembered.
const REMEMBERED_MAX: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Logins {
    key: Key,
    remembered: Mutex<HashMap<Hash, Instant>>,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    waiting: Arc<Mutex<HashMap<IpAddr, usize>>>,
    memories: Arc<Memories>,
}

/// What verifications work in, at most [`AT_A_TIME`] of them. Kept once it was needed: under attack it would be made anew 40 times a second.
#[derive(Debug, Default)]
struct Memories(Mutex<Vec<Memory>>);

impl Memories {
    fn take(&self) -> Memory {
        self.0.lock().pop().unwrap_or_default()
    }

    fn put(&self, memory: Memory) {
        self.0.lock().push(memory);
    }
}

/// A place among those who wait.
#[derive(Debug)]
pub(super) struct LoginPlace {
    network: Option<IpAddr>,
    waiting: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for LoginPlace {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut waiting = self.waiting.lock();
        if let Entry::Occupied(mut count) = waiting.entry(network) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Logins {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            remembered: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            waiting: Arc::default(),
            memories: Arc::default(),
        }
    }

    /// The user, if the password was right a short while ago.
    pub(super) fn recall(&self, users: &Users, name: &str, password: &str) -> Option<Arc<User>> {
        let user = users.get(name)?;
        let until = self.lock().get(&user.fingerprint(&self.key, password)).copied()?;
        (time::now() < until).then(|| Arc::clone(user))
    }

    /// A place among those who wait for their turn; `None` when there is none left, or none for that network.
    pub(super) fn place(&self, address: Option<IpAddr>) -> Option<LoginPlace> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let network = address.map(network_of);
        if let Some(network) = network {
            let mut waiting = self.waiting.lock();
            let count = waiting.entry(network).or_default();
            if *count >= WAITING_OF_NETWORK_MAX {
                return None;
            }
            *count += 1;
        }
        Some(LoginPlace { network, waiting: Arc::clone(&self.waiting), _permit: permit })
    }

    /// The user, if the password is right. Who has no [`Self::place`] must not wait. `closed_for` is asked at the turn: many may have waited
    /// together.
    ///
    /// # Errors
    /// `WrongLogin`, `TooManyFailures`.
    pub(super) async fn verify(
        &self,
        users: Arc<Users>,
        name: String,
        password: String,
        closed_for: impl Fn() -> Option<Duration>,
    ) -> Result<Arc<User>, Denied> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Denied::Busy)?;
        // Of many that came at once with the same password all but the first find it here.
        if let Some(user) = self.recall(&users, &name, &password) {
            return Ok(user);
        }
        if let Some(wait) = closed_for() {
            return Err(Denied::TooManyFailures(wait));
        }
        let memories = Arc::clone(&self.memories);
        let verified = tasks::spawn_blocking(move || {
            let mut memory = memories.take();
            let user = users.verify(&name, &password, &mut memory).map(Arc::clone);
            memories.put(memory);
            // The turn ends with the work, also when the client has left.
            drop(turn);
            user.map(|user| (user, password))
        });
        let (user, password) = verified.await.ok().flatten().ok_or(Denied::WrongLogin)?;
        self.remember(user.fingerprint(&self.key, &password));
        Ok(user)
    }

    fn remember(&self, fingerprint: Hash) {
        let now = time::now();
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, until| now < *until);
        }
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(fingerprint, now + REMEMBERED_FOR);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Instant>> {
        self.remembered.lock()
    }
}
