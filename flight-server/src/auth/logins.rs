//! `Logins`: verifies passwords, a few at a time, and remembers for a while those that were right: clients that send a password with every
//! request would wait 50 ms for each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use blake3::Hash;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    Denied,
    users::{Key, User, Users},
};

/// Verifications at a time; each takes 19 MiB, which strangers cause.
const AT_A_TIME: usize = 2;

/// Logins that wait for their turn: some seconds' worth. Each holds the head of a request.
const WAITING_MAX: usize = 256;

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
    places: Semaphore,
}

impl Logins {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            remembered: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            places: Semaphore::new(WAITING_MAX),
        }
    }

    /// The user, if the password was right a short while ago.
    pub(super) fn recall(&self, users: &Users, name: &str, password: &str) -> Option<Arc<User>> {
        let user = users.get(name)?;
        let until = self.lock().get(&user.fingerprint(&self.key, password)).copied()?;
        (Instant::now() < until).then(|| Arc::clone(user))
    }

    /// The user, if the password is right.
    ///
    /// # Errors
    /// `WrongLogin`, or `Busy` when too many wait.
    pub(super) async fn verify(
        &self,
        users: Arc<Users>,
        name: String,
        password: String,
    ) -> Result<Arc<User>, Denied> {
        let _place = self.places.try_acquire().map_err(|_| Denied::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Denied::Busy)?;
        // Of many that came at once with the same password all but the first find it here.
        if let Some(user) = self.recall(&users, &name, &password) {
            return Ok(user);
        }
        let verified = spawn_blocking(move || {
            // The turn ends with the work, also when the client has left.
            let _turn = turn;
            let user = users.verify(&name, &password).map(Arc::clone);
            user.map(|user| (user, password))
        });
        let (user, password) = verified.await.ok().flatten().ok_or(Denied::WrongLogin)?;
        self.remember(user.fingerprint(&self.key, &password));
        Ok(user)
    }

    fn remember(&self, fingerprint: Hash) {
        let now = Instant::now();
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
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
