//! Resolving names without blocking the caller: a few threads wait for the system's resolver.
//!
//! The system's resolver blocks and cannot be interrupted. So at most [`MAX_WANTED_THREADS`] threads ask it, however many names are
//! wanted, and look-ups of the same name share one answer. A thread that still asks for a name whose look-ups were all cancelled does
//! not count, up to [`MAX_THREADS`] in all. A thread ends when there is nothing to look up.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Weak;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::locks::{Mutex, rank};
use crate::threads::{join, join_ended};
use crate::{names, sys};

/// How many threads ask at once for names that are wanted. A name server that does not answer keeps one busy for half a minute, so
/// these are some more than a game needs.
const MAX_WANTED_THREADS: usize = 8;

/// How many threads there are at most.
const MAX_THREADS: usize = 32;

/// How long the end of the library waits for threads that are about to end.
const MAX_ENDING_TIME: Duration = Duration::from_millis(100);

static POOL: Mutex<Option<Pool>, { rank::RESOLVER }> = Mutex::new(None);

/// Gets the answer of a look-up.
pub(crate) trait OnResolved: Send + Sync {
    /// Called from a thread of the resolver, without a lock, with the [`id`](LookupGuard::id) of the look-up: its addresses, or the
    /// system's words. May come while the guard is being dropped.
    fn on_resolved(&self, id: u64, answer: &Result<Vec<SocketAddr>, String>);
}

#[derive(Default)]
struct Pool {
    /// The names that are being asked for, or are to be.
    lookups: HashMap<String, Lookup>,
    /// The names that no thread asks for yet, oldest first.
    queue: VecDeque<String>,
    /// How many threads are asking.
    working: usize,
    /// All threads that were started and are not joined yet.
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
    target: Weak<dyn OnResolved>,
}

/// A look-up in progress. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct LookupGuard {
    host: String,
    id: u64,
}

/// Looks `host` up and calls `target` with the answer.
///
/// Fails if no thread can be started and none is at work.
pub(crate) fn look_up(host: &str, target: Weak<dyn OnResolved>) -> io::Result<LookupGuard> {
    let mut guard = POOL.lock();
    let pool = guard.get_or_insert_default();
    pool.next_id += 1;
    let id = pool.next_id;
    if !pool.lookups.contains_key(host) {
        // Before there is a guard: dropping one takes the lock that is held here.
        pool.start_thread()?;
        pool.queue.push_back(host.to_owned());
    }
    pool.lookups.entry(host.to_owned()).or_default().wanted_by.push(Wanted { id, target });
    Ok(LookupGuard { host: host.to_owned(), id })
}

impl LookupGuard {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for LookupGuard {
    fn drop(&mut self) {
        let mut guard = POOL.lock();
        let Some(pool) = &mut *guard else { return };
        let Some(lookup) = pool.lookups.get_mut(&self.host) else { return };
        lookup.wanted_by.retain(|wanted| wanted.id != self.id);
        if !lookup.wanted_by.is_empty() {
            return;
        }
        if lookup.is_begun {
            // Its thread is lost to the other look-ups until the resolver answers. If no other can be started, they wait for one.
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
    /// Starts one more thread, unless there are as many as there may be.
    fn start_thread(&mut self) -> io::Result<()> {
        let is_lost = |lookup: &&Lookup| lookup.is_begun && lookup.wanted_by.is_empty();
        let lost = self.lookups.values().filter(is_lost).count();
        if self.working >= MAX_THREADS || self.working.saturating_sub(lost) >= MAX_WANTED_THREADS {
            return Ok(());
        }
        join_ended(&mut self.threads);
        match thread::Builder::new().name("udp resolve".to_owned()).spawn(work) {
            Ok(handle) => self.threads.push(handle),
            // The threads that there are get to it.
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

/// What each thread does: it looks up one name after the other, until there is none.
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
        let answer = names::resolve(&host);
        let lookup = POOL.lock().as_mut().and_then(|pool| pool.lookups.remove(&host));
        for wanted in lookup.unwrap_or_default().wanted_by {
            if let Some(target) = wanted.target.upgrade() {
                target.on_resolved(wanted.id, &answer);
            }
        }
    }
}

/// How many threads are asking at the moment.
#[must_use]
pub fn resolver_threads() -> usize {
    POOL.lock().as_ref().map_or(0, |pool| pool.working)
}

/// Cancels all look-ups, and joins the threads. A thread inside the system's resolver cannot be ended. It will return to code of this
/// library, which is therefore kept in memory.
pub(crate) fn shut_down() {
    let mut threads = {
        let mut guard = POOL.lock();
        let Some(pool) = &mut *guard else { return };
        pool.queue.clear();
        pool.lookups.clear();
        mem::take(&mut pool.threads)
    };
    let deadline = Instant::now() + MAX_ENDING_TIME;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
        thread::yield_now();
    }
    join_ended(&mut threads);
    if !threads.is_empty() && !sys::pin_library() {
        // Otherwise only waiting is left, for as long as the resolver takes.
        threads.into_iter().for_each(join);
    }
}
