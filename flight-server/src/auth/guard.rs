//! `Guard`: the users of a file, while somebody is asked for. Reads the file again when it changes, and ends what those had who are no
//! longer in it as they were.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::{task::spawn_blocking, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Credentials, Denied,
    callers::Callers,
    logins::Logins,
    tokens::Tokens,
    users::{Key, User, Users, random_key},
    users_file::{self, Stamp},
};
use crate::listen::Peer;

/// How often the file is looked at. A file is read when it was the same twice: one that is being written is not read.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Guard {
    path: PathBuf,
    key: Key,
    users: RwLock<Arc<Users>>,
    logins: Logins,
    tokens: Tokens,
    callers: Callers,
}

impl Guard {
    pub(super) fn of_file(path: PathBuf) -> Result<Self, String> {
        let key = random_key();
        let users = Users::parse(&users_file::read(&path)?, &key)?;
        let guard = Self {
            path,
            key,
            users: RwLock::new(Arc::new(users)),
            logins: Logins::new(key),
            tokens: Tokens::default(),
            callers: Callers::default(),
        };
        guard.warn_of_passwords();
        Ok(guard)
    }

    /// Who makes a call, over a connection if it came over one.
    pub(super) async fn check(
        &self,
        credentials: Credentials,
        peer: Option<&Peer>,
    ) -> Result<Arc<User>, Denied> {
        let user = match credentials {
            Credentials::Basic { user, password } => self.verify(user, password).await?,
            Credentials::Bearer(token) => {
                self.tokens.owner(&token, Instant::now()).ok_or(Denied::StaleToken)?
            }
        };
        if let Some(peer) = peer {
            self.callers.note(&user.name, peer);
        }
        // Who was removed just now may have been noted too late to be cut off.
        if self.users().get(&user.name) != Some(&user) {
            peer.into_iter().for_each(Peer::close);
            return Err(Denied::StaleToken);
        }
        Ok(user)
    }

    /// A token for credentials: a new one for a password, the same one for a token that is good.
    pub(super) async fn login(
        &self,
        credentials: Credentials,
        peer: Option<&Peer>,
    ) -> Result<String, Denied> {
        let known = match &credentials {
            Credentials::Bearer(token) => Some(token.clone()),
            Credentials::Basic { .. } => None,
        };
        let user = self.check(credentials, peer).await?;
        Ok(known.unwrap_or_else(|| self.tokens.issue(user, Instant::now())))
    }

    async fn verify(&self, name: String, password: String) -> Result<Arc<User>, Denied> {
        let users = self.users();
        if let Some(user) = self.logins.recall(&users, &name, &password) {
            return Ok(user);
        }
        self.logins.verify(users, name, password).await
    }

    /// Looks at the file until `stop`.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut read = self.stamp().await;
        let mut seen = read;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = self.stamp().await;
            if now != read && now == seen {
                read = now;
                self.reload().await;
            }
            seen = now;
        }
    }

    async fn stamp(self: &Arc<Self>) -> Option<Stamp> {
        let guard = Arc::clone(self);
        spawn_blocking(move || users_file::stamp(&guard.path)).await.ok().flatten()
    }

    async fn reload(self: &Arc<Self>) {
        let guard = Arc::clone(self);
        let read = move || Users::parse(&users_file::read(&guard.path)?, &guard.key);
        let read = spawn_blocking(read).await.unwrap_or_else(|error| Err(error.to_string()));
        match read {
            Ok(users) => self.replace(users),
            Err(error) => {
                let path = self.path.display();
                tracing::error!("auth file {path}: {error}; the users stay those that were read before");
            }
        }
    }

    fn replace(&self, users: Users) {
        let users = Arc::new(users);
        let old = {
            let mut current = self.users.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Arc::clone(&users))
        };
        for user in old.iter().filter(|user| users.get(&user.name) != Some(user)) {
            self.tokens.end(user);
            self.callers.end(&user.name);
            tracing::info!("user '{}' was changed or removed: tokens and connections have ended", user.name);
        }
        tracing::info!("auth file {}: {} users", self.path.display(), users.iter().count());
        self.warn_of_passwords();
    }

    fn warn_of_passwords(&self) {
        let users = self.users();
        let mut names: Vec<&str> =
            users.iter().filter(|user| user.is_in_the_clear()).map(|user| &*user.name).collect();
        names.sort_unstable();
        if let Some(first) = names.first() {
            let path = self.path.display();
            let names = names.join(", ");
            tracing::warn!(
                "auth file {path} has passwords in the clear ({names}), each of an admin; for each user run: \
                 hexflight user add {first} --auth-file {path}"
            );
        }
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
