//! `Guard`: the users of a file, while somebody is asked for. Reads the file again when it changes, and ends what those had who are no
//! longer in it as they were.

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Credentials, Denied,
    callers::Callers,
    failures::Failures,
    logins::{LoginPlace, Logins},
    tokens::{Bearer, ListedToken, NewToken, Tokens},
    users::{Key, Users, random_key},
    users_file,
};
use crate::{
    listen::Peer,
    log_limit::LogLimit,
    stamp::{Stamp, stamp},
};
use hexflight_engine::{
    tasks,
    time::{self, MissedTickBehavior},
};

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
    failures: Failures,
    /// Lines about failed logins, which anybody can cause.
    lines: LogLimit,
}

/// What is known of credentials.
pub(super) enum Checked {
    /// All.
    Done(Result<Bearer, Denied>),
    /// Nothing before a password is verified.
    Slow(Attempt),
}

/// A login that has a place among those who wait.
pub(super) struct Attempt {
    users: Arc<Users>,
    name: String,
    password: String,
    place: LoginPlace,
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
            failures: Failures::default(),
            lines: LogLimit::new(),
        };
        guard.warn_of_passwords();
        Ok(guard)
    }

    /// Who makes a call, over a connection if it came over one, as far as that can be told at once.
    pub(super) fn check_now(&self, credentials: Credentials, peer: Option<&Peer>) -> Checked {
        let (name, password) = match credentials {
            Credentials::Basic { user, password } => (user, password),
            Credentials::Bearer(token) => {
                let owner = || self.tokens.owner(&token, time::now()).ok_or(Denied::StaleToken);
                let admitted = owner().and_then(|bearer| self.admitted(bearer, peer));
                // One that was revoked just now may have been noted too late to be cut off.
                return Checked::Done(match admitted {
                    Ok(bearer) if bearer.token.is_some() && owner().is_err() => {
                        peer.into_iter().for_each(Peer::close);
                        Err(Denied::StaleToken)
                    }
                    admitted => admitted,
                });
            }
        };
        let users = self.users();
        if let Some(user) = self.logins.recall(&users, &name, &password) {
            return Checked::Done(self.admitted(Bearer::of_user(user), peer));
        }
        let address = peer.map(|peer| peer.address().ip());
        if let Some(wait) = address.and_then(|at| self.failures.closed_for(&name, at, time::now())) {
            return Checked::Done(Err(Denied::TooManyFailures(wait)));
        }
        match self.logins.place(address) {
            Some(place) => Checked::Slow(Attempt { users, name, password, place }),
            None => Checked::Done(Err(Denied::Busy)),
        }
    }

    /// Who makes a call.
    pub(super) async fn check(
        &self,
        credentials: Credentials,
        peer: Option<&Peer>,
    ) -> Result<Bearer, Denied> {
        match self.check_now(credentials, peer) {
            Checked::Done(known) => known,
            Checked::Slow(attempt) => self.verify(attempt, peer).await,
        }
    }

    /// Verifies a password.
    pub(super) async fn verify(&self, attempt: Attempt, peer: Option<&Peer>) -> Result<Bearer, Denied> {
        let Attempt { users, name, password, place: _place } = attempt;
        let address = peer.map(|peer| peer.address().ip());
        let closed_for = || address.and_then(|address| self.failures.closed_for(&name, address, time::now()));
        let verified = self.logins.verify(Arc::clone(&users), name.clone(), password, closed_for).await;
        if let (Err(Denied::WrongLogin), Some(address)) = (&verified, address) {
            self.failures.note(&name, address, time::now());
            // Who is no user may be a password that was typed into the wrong field.
            let user = if users.get(&name).is_some() { &name } else { "(unknown)" };
            self.lines.log(|held_back| tracing::warn!(user, peer = %address, held_back, "login failed"));
        }
        self.admitted(Bearer::of_user(verified?), peer)
    }

    /// Notes who calls, unless a reload has overtaken the call.
    fn admitted(&self, bearer: Bearer, peer: Option<&Peer>) -> Result<Bearer, Denied> {
        let user = &bearer.user;
        if let Some(peer) = peer {
            self.callers.note(&user.name, peer);
            if let Some(token) = bearer.token {
                self.callers.note(&name_of(token), peer);
            }
        }
        // Who was removed just now may have been noted too late to be cut off.
        if self.users().get(&user.name) != Some(user) {
            peer.into_iter().for_each(Peer::close);
            return Err(Denied::StaleToken);
        }
        Ok(bearer)
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
        let bearer = self.check(credentials, peer).await?;
        Ok(known.unwrap_or_else(|| self.tokens.issue(bearer.user, time::now())))
    }

    /// A token with a name, for its user; `None` when there are too many of that user, or the user is gone.
    pub(super) fn create_token(&self, user: &str, new: NewToken) -> Option<(Uuid, String)> {
        let user = Arc::clone(self.users().get(user)?);
        self.tokens.create(user, new, time::now())
    }

    /// The tokens of a user, or of all.
    pub(super) fn tokens_of(&self, user: Option<&str>) -> Vec<ListedToken> {
        self.tokens.list(user, time::now())
    }

    /// Ends a token, of a user or of anybody; whether there was one.
    pub(super) fn revoke(&self, id: Uuid, user: Option<&str>) -> bool {
        let was_there = self.tokens.revoke(id, user);
        if was_there {
            self.callers.end(&name_of(id));
        }
        was_there
    }

    /// Closes the connections of tokens whose time is up.
    fn end_tokens(&self) {
        self.tokens.take_ended(time::now()).into_iter().for_each(|id| self.callers.end(&name_of(id)));
    }

    /// Looks at the file until `stop`.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What was read at the start may have changed before the first look.
        let (mut read, mut seen) = (None, None);
        let mut failure = String::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.end_tokens();
            let now = self.stamp().await;
            if now != read && now == seen {
                // One that could not be read is tried again: there may have been no descriptor for it.
                match self.reload().await {
                    Ok(()) => (read, failure) = (now, String::new()),
                    Err(error) => self.complain(&mut failure, error),
                }
            }
            seen = now;
        }
    }

    async fn stamp(self: &Arc<Self>) -> Option<Stamp> {
        let guard = Arc::clone(self);
        tasks::spawn_blocking(move || stamp(&guard.path)).await.ok().flatten()
    }

    async fn reload(self: &Arc<Self>) -> Result<(), String> {
        let guard = Arc::clone(self);
        let read = move || Users::parse(&users_file::read(&guard.path)?, &guard.key);
        let users = tasks::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.to_string()))?;
        self.replace(users);
        Ok(())
    }

    /// Says what is wrong, once.
    fn complain(&self, last: &mut String, error: String) {
        if *last != error {
            let path = self.path.display();
            tracing::error!("auth file {path}: {error}; the users stay those that were read before");
            *last = error;
        }
    }

    fn replace(&self, users: Users) {
        let is_same = {
            let old = self.users();
            old.iter().count() == users.iter().count()
                && old.iter().all(|user| users.get(&user.name) == Some(user))
        };
        if is_same {
            return;
        }
        let users = Arc::new(users);
        let old = {
            let mut current = self.users.write();
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
        Arc::clone(&self.users.read())
    }
}

/// Under which the connections of a token are known: no user is called so, since a name has no colon.
fn name_of(token: Uuid) -> Arc<str> {
    format!("token:{token}").into()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
