//! The frames of the game, counted.

use std::sync::atomic::{AtomicU64, Ordering};

static FRAMES: AtomicU64 = AtomicU64::new(0);

/// To be called once a frame. A server that receives in the background lets in at most
/// [`max_pending`](crate::Server::max_pending) new peers between two calls.
pub fn begin_frame() {
    FRAMES.fetch_add(1, Ordering::Relaxed);
}

/// The number of the frame. A thread may see a new one late, which does no harm: the number is only compared.
pub(crate) fn current() -> u64 {
    FRAMES.load(Ordering::Relaxed)
}
