//! Which peers and servers have a signal to emit.
//!
//! Threads of the addon must not call into the engine, so they mark a peer or a server here by its token; the engine's main thread takes the
//! tokens once a frame.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

static MARKED: Mutex<Vec<u64>> = Mutex::new(Vec::new());
static IS_ANY_MARKED: AtomicBool = AtomicBool::new(false);

/// Marks the peers or servers with these tokens.
pub(crate) fn mark(tokens: &[u64]) {
    if !tokens.is_empty() {
        MARKED.lock().extend_from_slice(tokens);
        IS_ANY_MARKED.store(true, Ordering::Release);
    }
}

/// The tokens ([`Peer::enable_signals`](crate::Peer::enable_signals), [`Server::enable_signals`](crate::Server::enable_signals)) of
/// the peers and servers that may have a signal to emit, each once: see
/// [`Peer::take_pending_signal`](crate::Peer::take_pending_signal), [`Peer::take_resolved`](crate::Peer::take_resolved),
/// [`Peer::take_drop_notice`](crate::Peer::take_drop_notice), [`Server::take_connected`](crate::Server::take_connected) and
/// [`Server::take_timed_out`](crate::Server::take_timed_out). To be called once a frame. Costs one atomic operation when there is none.
#[must_use]
pub fn take_pending_signals() -> Vec<u64> {
    if !IS_ANY_MARKED.swap(false, Ordering::AcqRel) {
        return Vec::new();
    }
    let mut tokens = mem::take(&mut *MARKED.lock());
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}
