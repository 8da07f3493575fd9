//! `FlushSignals`: they wake the flush task without waiting for it.

use tokio::sync::Notify;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct FlushSignals {
    /// A generation was closed because it is full.
    pub(crate) full: Notify,
    /// An append begins to wait for memory, or what could be flushed for those who wait has grown.
    pub(crate) pressure: Notify,
    /// The disk is full.
    pub(crate) space: Notify,
}
