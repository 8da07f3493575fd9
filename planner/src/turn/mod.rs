//! A turn: one poll of a query's task on its thread. What a poll does cannot be interrupted from outside; code that may take long asks
//! here, between pieces of its work, whether its query has ended, and a turn that lasts lets others have the thread's place.
//!
//! ```text
//!  QueryEngine ─ Ended ─▶ TaskContext ─▶ Turns::execute ─ poll ─▶ within ─▶ join ─▶ Checked filter ─▶ work
//!       └─▶ plan_in_turns ─ poll ─▶ planning                                 └─▶ function that can take long ─▶ work, piece by piece
//! ```

mod checked;
mod exec;
mod long;
mod stop;

use std::{cell::RefCell, future::Future, pin::pin, time::Duration};

use datafusion::{
    error::{DataFusionError, Result},
    execution::TaskContext,
};
use hexflight_engine::time::{self, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use checked::Checked;
pub(crate) use exec::Turns;
pub use stop::{Stop, StopReason};

/// A turn that lasts longer gives its place among the query threads to another thread. Moving costs some 20 µs.
const PLACE_KEPT: Duration = Duration::from_millis(5);

/// How often work of many small pieces asks. To ask and to leave a place take longer than many a small piece.
const ASKED_EVERY: Duration = Duration::from_millis(10);

/// Whether a query has ended, known to all that works for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended(CancellationToken);

impl Ended {
    /// Of a query that is ended from outside with `token`, too.
    pub(crate) fn with(token: &CancellationToken) -> Self {
        Self(token.child_token())
    }

    /// Ends the query when it is dropped.
    pub(crate) fn guard(&self) -> DropGuard {
        self.0.clone().drop_guard()
    }

    /// # Errors
    /// `Execution` when the query has ended: nobody hears of it.
    fn check(&self) -> Result<()> {
        if self.0.is_cancelled() {
            return Err(DataFusionError::Execution(String::from("the query has ended")));
        }
        Ok(())
    }

    /// Of the query that a context was made for; of a plan that runs without one, a query that never ends.
    fn of(context: &TaskContext) -> Self {
        context.session_config().get_extension::<Self>().map(|ended| Self::clone(&ended)).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
struct Turn {
    ended: Ended,
    began: Instant,
    /// When one of many small pieces of work asked last.
    asked: Instant,
    is_planning: bool,
}

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Does one poll of a node as a turn of the query; inside of another turn, as a part of it.
pub(crate) fn within<T>(ended: &Ended, node: &str, poll: impl FnOnce() -> T) -> T {
    turn(ended, node, false, poll)
}

fn turn<T>(ended: &Ended, node: &str, is_planning: bool, poll: impl FnOnce() -> T) -> T {
    let is_outermost = TURN.with_borrow_mut(|turn| {
        let is_outermost = turn.is_none();
        turn.get_or_insert_with(|| {
            let began = time::now();
            Turn { ended: ended.clone(), began, asked: began, is_planning }
        });
        is_outermost
    });
    // Not `then_some`: it makes one in any case, and drops it.
    let _end = is_outermost.then(|| EndOfTurn { node });
    poll()
}

/// Ends the turn also when the poll panics.
struct EndOfTurn<'a> {
    node: &'a str,
}

impl Drop for EndOfTurn<'_> {
    fn drop(&mut self) {
        if let Some(turn) = TURN.take() {
            long::note(self.node, turn.began.elapsed());
        }
    }
}

/// Each poll of `work`, which plans the query, is a turn of it.
pub(crate) async fn plan_in_turns<T>(ended: &Ended, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(|context| turn(ended, "planning", true, || work.as_mut().poll(context))).await
}

/// Whether this turn plans a query: what it computes becomes a part of the plan.
pub(crate) fn is_planning() -> bool {
    TURN.with_borrow(|turn| turn.as_ref().is_some_and(|turn| turn.is_planning))
}

/// Does a piece of work of at most some 100 ms, unless the query has ended. In a turn that has lasted it is done without a place among the
/// query threads, so that other queries go on.
///
/// # Errors
/// The work's own, and `Execution` when the query has ended: nobody hears of it.
pub(crate) fn piece<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(turn) = TURN.with_borrow(Option::clone) else { return work() };
    turn.ended.check()?;
    if turn.began.elapsed() < PLACE_KEPT { work() } else { tokio::task::block_in_place(work) }
}

/// Does one of many small pieces of work, such as a row of a window takes, and is [`piece`] every 10 ms.
///
/// # Errors
/// Those of [`piece`].
pub(crate) fn small_piece<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let is_due = TURN.with_borrow_mut(|turn| {
        let now = time::now();
        match turn {
            Some(turn) if now.duration_since(turn.asked) >= ASKED_EVERY => {
                turn.asked = now;
                true
            }
            _ => false,
        }
    });
    if is_due { piece(work) } else { work() }
}
