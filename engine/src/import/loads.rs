//! `Loads`: the loads under way, each with its keeper, and how a shutdown ends them.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    closing: CancellationToken,
    keepers: TaskTracker,
}

impl Loads {
    /// Cancelled when the engine closes.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.closing.child_token()
    }

    /// Runs the keeper of a load.
    pub(super) fn keep(&self, keeper: impl Future<Output = ()> + Send + 'static) {
        self.keepers.spawn(keeper);
    }

    /// Ends the loads under way and waits until they have left nothing behind. One in the midst of its commit is let through.
    pub(crate) async fn end(&self) {
        self.closing.cancel();
        self.keepers.close();
        self.keepers.wait().await;
    }
}
