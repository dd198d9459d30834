//! The memory that datagrams are received into, shared by all endpoints.

use std::fmt;
use std::ptr;

use parking_lot::Mutex;

use crate::sys::Arena;

/// How many arenas are kept for later. More threads rarely receive at the same moment.
const KEPT: usize = 4;

static KEPT_ARENAS: Mutex<Vec<(ThreadTag, Arena)>> = Mutex::new(Vec::new());

/// Frees the arenas that are kept for later. For the end of the process, or of the library.
pub(crate) fn release() {
    KEPT_ARENAS.lock().clear();
}

/// Tells threads apart: the address of something that each thread has.
type ThreadTag = usize;

thread_local! {
    static TAG: u8 = const { 0 };
}

/// An arena for the time that this lives. A thread gets the one that it used last, if that is free, because that memory is in
/// its processor's cache.
pub(crate) struct ArenaLease(Option<Arena>);

impl ArenaLease {
    pub(crate) fn get() -> Self {
        let tag = this_thread();
        let mut kept = KEPT_ARENAS.lock();
        let index = kept.iter().position(|(owner, _)| *owner == tag);
        let arena = match index {
            Some(index) => Some(kept.swap_remove(index)),
            None if kept.len() == KEPT => kept.pop(),
            None => None,
        };
        drop(kept);
        Self(Some(arena.map_or_else(Arena::new, |(_, arena)| arena)))
    }

    pub(crate) fn arena(&mut self) -> &mut Arena {
        self.0.get_or_insert_with(Arena::new)
    }

    /// The payload of the message in a slot of the arena; empty before the first [`arena`](Self::arena).
    pub(crate) fn bytes(&self, slot: usize) -> &[u8] {
        self.0.as_ref().map_or(&[], |arena| arena.bytes(slot))
    }
}

impl Drop for ArenaLease {
    fn drop(&mut self) {
        let mut kept = KEPT_ARENAS.lock();
        if kept.len() < KEPT {
            kept.extend(self.0.take().map(|arena| (this_thread(), arena)));
        }
    }
}

impl fmt::Debug for ArenaLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaLease").finish_non_exhaustive()
    }
}

fn this_thread() -> ThreadTag {
    TAG.with(|tag| ptr::from_ref(tag).addr())
}
