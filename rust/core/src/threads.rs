//! Joining the threads of this library. All must have ended before it is unloaded.

use std::mem;
use std::thread::JoinHandle;

pub(crate) fn join(thread: JoinHandle<()>) {
    // An error means that the thread has panicked, which was printed already.
    let _ = thread.join();
}

/// Joins the threads that have ended. It does not wait for the others, which may need a lock that the caller holds.
pub(crate) fn join_ended(threads: &mut Vec<JoinHandle<()>>) {
    let (ended, going) = mem::take(threads).into_iter().partition::<Vec<_>, _>(JoinHandle::is_finished);
    *threads = going;
    ended.into_iter().for_each(join);
}
