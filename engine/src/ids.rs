//! `Ids`: the one source of ids. A store hands it to whoever names an object in it, so that a test can give names that come again.

#![expect(clippy::disallowed_methods, reason = "this is the one place that makes ids")]

use std::fmt::Debug;

use uuid::Uuid;

/// Makes ids that were never used.
pub trait Ids: Debug + Send + Sync {
    /// An id that begins with the time, so that later ones sort behind it (UUID version 7).
    fn timed(&self) -> Uuid;

    /// An id that nobody can guess (UUID version 4).
    fn random(&self) -> Uuid;
}

/// The machine's ids: from its clock and its random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn timed(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self) -> Uuid {
        Uuid::new_v4()
    }
}
