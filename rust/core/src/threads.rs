//! Joining the threads of this library, which must all be gone before it is.

use std::mem;
use std::thread::JoinHandle;

pub(crate) fn join(thread: JoinHandle<()>) {
    // An error means that the thread has panicked: said already, and there is nothing left to do about it.
    let _ = thread.join();
}

/// Joins those that have come to their end. The others are not waited for: they may need a lock that the caller holds.
pub(crate) fn join_ended(threads: &mut Vec<JoinHandle<()>>) {
    let (ended, going) = mem::take(threads).into_iter().partition::<Vec<_>, _>(JoinHandle::is_finished);
    *threads = going;
    ended.into_iter().for_each(join);
}
