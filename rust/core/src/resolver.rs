//! Resolving names without blocking: a few threads of our own do the waiting.
//!
//! The system's resolver blocks, and cannot be called off. So there are at most [`MOST_THREADS`] threads that ask it, however
//! many names are wanted; who wants a name that is being asked for already shares the answer. Threads that still ask for what
//! was called off do not keep others waiting, as long as there are not too many of them. A thread ends when there is nothing
//! to ask.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::sync::Weak;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::peer::Peer;
use crate::threads::{join, join_ended};
use crate::{resolve, sys};

/// How many threads ask at once for what somebody wants. One that asks a name server which does not answer is busy for half
/// a minute, so there are some more than a game needs.
const MOST_THREADS: usize = 8;

/// How many threads there are at most, those included that ask for what nobody wants any more.
const MOST_IN_ALL: usize = 32;

/// How long the end of the library waits for threads that are at their end already.
const LEAVING: Duration = Duration::from_millis(100);

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

#[derive(Default)]
struct Pool {
    /// The names that are asked for, or are to be.
    lookups: HashMap<String, Lookup>,
    /// Those that no thread has begun with, oldest first.
    queue: VecDeque<String>,
    /// How many threads are at work.
    working: usize,
    /// All threads that were started and not joined yet.
    threads: Vec<JoinHandle<()>>,
    next_id: u64,
}

#[derive(Default)]
struct Lookup {
    wanted_by: Vec<Wanted>,
    is_begun: bool,
}

struct Wanted {
    id: u64,
    peer: Weak<Peer>,
}

/// A name that was asked for. Dropping it calls it off.
#[derive(Debug)]
pub(crate) struct Ticket {
    host: String,
    id: u64,
}

/// Has `host` looked up; [`Peer::resolved`] is called with the ticket's [`id`](Ticket::id) from another thread, unless the
/// ticket is dropped first. (It may be called while it is being dropped.)
///
/// Fails where no thread is to be had and none is at work.
pub(crate) fn look_up(host: &str, peer: Weak<Peer>) -> io::Result<Ticket> {
    let mut guard = POOL.lock();
    let pool = guard.get_or_insert_default();
    pool.next_id += 1;
    let id = pool.next_id;
    if !pool.lookups.contains_key(host) {
        // Before there is a ticket: dropping one needs the lock that is held here.
        pool.start_thread()?;
        pool.queue.push_back(host.to_owned());
    }
    pool.lookups.entry(host.to_owned()).or_default().wanted_by.push(Wanted { id, peer });
    Ok(Ticket { host: host.to_owned(), id })
}

impl Ticket {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut guard = POOL.lock();
        let Some(pool) = &mut *guard else { return };
        let Some(lookup) = pool.lookups.get_mut(&self.host) else { return };
        lookup.wanted_by.retain(|wanted| wanted.id != self.id);
        if !lookup.wanted_by.is_empty() {
            return;
        }
        if lookup.is_begun {
            // Its thread is lost to the others until the resolver lets go of it. (Where there is no other to be had, those who
            // wait go on waiting.)
            if !pool.queue.is_empty() {
                let _ = pool.start_thread();
            }
        } else {
            pool.lookups.remove(&self.host);
            pool.queue.retain(|host| *host != self.host);
        }
    }
}

impl Pool {
    /// Starts one more thread, if there may be more.
    fn start_thread(&mut self) -> io::Result<()> {
        let is_lost = |lookup: &&Lookup| lookup.is_begun && lookup.wanted_by.is_empty();
        let lost = self.lookups.values().filter(is_lost).count();
        if self.working >= MOST_IN_ALL || self.working.saturating_sub(lost) >= MOST_THREADS {
            return Ok(());
        }
        join_ended(&mut self.threads);
        match thread::Builder::new().name("udp resolve".to_owned()).spawn(work) {
            Ok(handle) => self.threads.push(handle),
            // Those that there are will come to it.
            Err(_) if self.working > 0 => return Ok(()),
            Err(error) => return Err(error),
        }
        self.working += 1;
        Ok(())
    }

    /// The next name to ask for.
    fn begin(&mut self) -> Option<String> {
        let host = self.queue.pop_front()?;
        if let Some(lookup) = self.lookups.get_mut(&host) {
            lookup.is_begun = true;
        }
        Some(host)
    }
}

/// What each thread does: asks for one name after the other, until there is none.
fn work() {
    loop {
        let host = {
            let mut guard = POOL.lock();
            let Some(pool) = &mut *guard else { return };
            let Some(host) = pool.begin() else {
                pool.working -= 1;
                return;
            };
            host
        };
        let answer = resolve::ask(&host);
        let lookup = POOL.lock().as_mut().and_then(|pool| pool.lookups.remove(&host));
        for wanted in lookup.unwrap_or_default().wanted_by {
            if let Some(peer) = wanted.peer.upgrade() {
                peer.resolved(wanted.id, &answer);
            }
        }
    }
}

/// How many threads are asking at the moment.
#[must_use]
pub fn resolver_threads() -> usize {
    POOL.lock().as_ref().map_or(0, |pool| pool.working)
}

/// Calls everything off, and joins the threads. One that is inside the system's resolver cannot be ended; for that the
/// library is kept in memory, since the thread will come back to it.
pub(crate) fn shut_down() {
    let mut threads = {
        let mut guard = POOL.lock();
        let Some(pool) = &mut *guard else { return };
        pool.queue.clear();
        pool.lookups.clear();
        mem::take(&mut pool.threads)
    };
    let deadline = Instant::now() + LEAVING;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
        thread::yield_now();
    }
    join_ended(&mut threads);
    if !threads.is_empty() && !sys::pin_library() {
        // Then there is nothing for it but to wait, as long as the resolver takes.
        threads.into_iter().for_each(join);
    }
}
