//! `Sessions`: options by session id, bounded and for a time. A session belongs to the user who made it.

use std::{collections::HashMap, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;

use super::SessionOptions;
use crate::{
    auth::Caller,
    flight::crowd::{Kept, gives_way},
};
use hexflight_engine::time::Instant;

/// Sessions remembered; one more ends one of whoever has most.
const SESSIONS_MAX: usize = 10_000;

/// How long a session is remembered after its last use.
const SESSION_FOR: Duration = Duration::from_hours(12);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: Mutex<HashMap<Uuid, Session>>,
}

#[derive(Debug)]
struct Session {
    caller: Caller,
    options: SessionOptions,
    used: Instant,
}

impl Sessions {
    /// The options of a caller's session; counts as a use of it.
    pub(super) fn options(&self, id: Uuid, caller: &Caller, now: Instant) -> Option<SessionOptions> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id).filter(|session| session.is_of(caller, now))?;
        session.used = now;
        Some(session.options)
    }

    /// Remembers options under an id.
    pub(super) fn store(&self, id: Uuid, caller: Caller, options: SessionOptions, now: Instant) {
        let mut sessions = self.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.is_alive(now));
        }
        if sessions.len() >= SESSIONS_MAX
            && !sessions.contains_key(&id)
            && let Some(oldest) = gives_way(sessions.iter().map(kept), (caller.user.as_deref(), 1))
        {
            sessions.remove(&oldest);
        }
        sessions.insert(id, Session { caller, options, used: now });
    }

    /// Forgets a caller's session.
    pub(super) fn close(&self, id: Uuid, caller: &Caller, now: Instant) {
        let mut sessions = self.lock();
        if sessions.get(&id).is_some_and(|session| session.is_of(caller, now)) {
            sessions.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Session>> {
        self.by_id.lock()
    }
}

/// A session among those of others.
fn kept<'a>((id, session): (&Uuid, &'a Session)) -> Kept<'a, Uuid> {
    Kept { key: *id, user: session.caller.user.as_deref(), weight: 1, used: session.used }
}

impl Session {
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < SESSION_FOR
    }

    fn is_of(&self, caller: &Caller, now: Instant) -> bool {
        self.caller == *caller && self.is_alive(now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hexflight_engine::{Ids as _, SystemIds};

    use super::*;
    use hexflight_engine::time;

    const OPTIONS: SessionOptions =
        SessionOptions { query_timeout: Some(Duration::from_secs(1)), timestamp_unit: None };

    #[test]
    fn a_session_is_its_callers_and_lives_while_it_is_used() {
        let (sessions, start, id) = (Sessions::default(), time::now(), SystemIds.random());
        let ada = Caller { user: Some(Arc::from("ada")), ..Caller::default() };
        sessions.store(id, ada.clone(), OPTIONS, start);
        let almost = SESSION_FOR - Duration::from_secs(1);
        assert_eq!(sessions.options(id, &ada, start + almost), Some(OPTIONS));
        assert_eq!(sessions.options(id, &Caller::default(), start), None);
        sessions.close(id, &Caller::default(), start);
        assert_eq!(sessions.options(id, &ada, start + 2 * almost), Some(OPTIONS));
        assert_eq!(sessions.options(id, &ada, start + 4 * SESSION_FOR), None);
        sessions.close(id, &ada, start);
        assert_eq!(sessions.options(id, &ada, start), None);
    }

    #[test]
    fn the_least_recently_used_gives_way_at_the_limit() {
        let (sessions, start) = (Sessions::default(), time::now());
        let ids: Vec<Uuid> = (0..=SESSIONS_MAX).map(|_| SystemIds.random()).collect();
        for (index, id) in ids.iter().enumerate() {
            let used = start + Duration::from_millis(index as u64);
            sessions.store(*id, Caller::default(), OPTIONS, used);
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert_eq!(sessions.options(ids[0], &Caller::default(), start), None);
    }
}
