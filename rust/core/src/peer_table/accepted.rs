//! A peer that a server has accepted, as the server's table knows it.

use std::any::Any;
use std::sync::Arc;

/// A peer that a server has accepted.
pub(crate) trait AcceptedPeer: Send + Sync + std::fmt::Debug {
    /// Called, without a lock, when the server has removed the peer.
    fn detached(&self, why: Detachment);

    /// The peer as what it is.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// Why a server has removed a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detachment {
    /// The server was stopped.
    Stopped,
    /// The peer has sent nothing for so many milliseconds.
    Idle { msec: u64 },
}
