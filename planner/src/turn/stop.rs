//! `Stop`: ends a query from outside, and says why. Made before the query is planned, so that one that waits for its turn can be ended too.

use std::{
    error::Error,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use datafusion::error::DataFusionError;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Ended;

/// Why a query was ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody who may asked for it.
    Cancelled,
    /// It took longer than the server lets any query take.
    ServerLimit(Duration),
    /// It took longer than its client wanted to wait; with the name of the client's setting.
    OwnLimit(Duration, &'static str),
    /// Memory was short, and it was the one to give way. What is meant is a whole sentence.
    Memory(String),
    /// The process ends.
    ShuttingDown,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the query was cancelled"),
            Self::ServerLimit(limit) => {
                write!(f, "the query took longer than the server's limit of {limit:?} (query_timeout)")
            }
            Self::OwnLimit(limit, setting) => {
                write!(f, "the query took longer than its own limit of {limit:?} ({setting})")
            }
            Self::Memory(sentence) => f.write_str(sentence),
            Self::ShuttingDown => f.write_str("the query was cancelled: the server is shutting down"),
        }
    }
}

impl Error for StopReason {}

impl From<StopReason> for DataFusionError {
    fn from(reason: StopReason) -> Self {
        Self::External(Box::new(reason))
    }
}

/// See the module. Clones are of the same query.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    reason: OnceLock<StopReason>,
    token: CancellationToken,
}

impl Stop {
    /// Ends the query. The first reason stays.
    pub fn stop(&self, reason: StopReason) {
        self.0.reason.get_or_init(|| reason);
        self.0.token.cancel();
    }

    /// Why the query was ended, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<&StopReason> {
        self.0.reason.get()
    }

    /// Resolves when the query is ended.
    pub async fn stopped(&self) -> StopReason {
        self.0.token.cancelled().await;
        self.0.reason.get().cloned().unwrap_or(StopReason::Cancelled)
    }

    /// What works for the query asks this one.
    pub(crate) fn ended(&self) -> Ended {
        Ended::with(&self.0.token)
    }

    pub(crate) fn wait(&self) -> WaitForCancellationFutureOwned {
        self.0.token.clone().cancelled_owned()
    }
}
