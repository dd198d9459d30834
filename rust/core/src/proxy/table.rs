//! The clients of a relay, by address, and which of them may be silent for too long.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::client::Client;
use crate::endpoint::Endpoint;
use crate::link::conditions::SharedConditions;
use crate::queue::RemoteAddr;
use crate::reactor::Timer;
use crate::socket::Socket;

const NSEC_PER_MSEC: u64 = 1_000_000;

/// What a user sets.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) to_target: Option<Arc<SharedConditions>>,
    pub(super) to_client: Option<Arc<SharedConditions>>,
    pub(super) client_timeout_msec: u32,
    pub(super) max_clients: usize,
}

/// The clients. Empty, and without a timer, once it is [closed](Self::close).
#[derive(Debug)]
pub(super) struct Table {
    pub(super) settings: Settings,
    is_closed: bool,
    clients: HashMap<RemoteAddr, Entry>,
    /// One for each client: since when it was silent when it was last looked at.
    marks: BinaryHeap<Reverse<Mark>>,
    /// How many clients there were.
    made: u64,
    /// The system's code of the error for which the last new client got no socket.
    pub(super) failing: Option<i32>,
    /// For the client that may be the next to be silent for too long, and when it fires.
    pub(super) sweep: Option<(u64, Timer)>,
    /// Clients that are being closed.
    leaving: Vec<Gone>,
}

/// A client with its socket.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) client: Arc<Client>,
    pub(super) endpoint: Arc<Endpoint>,
    /// By which it sends to the target.
    pub(super) socket: Arc<Socket>,
}

/// A client that is not in the table any more and is to be closed, without the lock of the table.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    client: Arc<Client>,
    endpoint: Arc<Endpoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    since: u64,
    number: u64,
    remote: RemoteAddr,
}

impl Default for Settings {
    fn default() -> Self {
        Self { to_target: None, to_client: None, client_timeout_msec: 30_000, max_clients: 1_024 }
    }
}

impl Settings {
    fn timeout_nsec(&self) -> Option<u64> {
        (self.client_timeout_msec > 0).then(|| u64::from(self.client_timeout_msec) * NSEC_PER_MSEC)
    }
}

impl Gone {
    /// Closes the client's socket. What is held back is dropped and counted.
    pub(super) fn close(&self) {
        self.endpoint.close();
        self.client.discard();
    }
}

impl Table {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            is_closed: false,
            clients: HashMap::new(),
            marks: BinaryHeap::new(),
            made: 0,
            failing: None,
            sweep: None,
            leaving: Vec::new(),
        }
    }

    pub(super) fn get(&self, remote: &RemoteAddr) -> Option<&Entry> {
        self.clients.get(remote)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.clients.values()
    }

    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether one more client may come.
    pub(super) fn has_room(&self) -> bool {
        !self.is_closed && self.clients.len() < self.settings.max_clients
    }

    /// The number of the next client.
    pub(super) fn next_number(&self) -> u64 {
        self.made
    }

    /// Whether there is memory for one more.
    pub(super) fn has_memory(&mut self) -> bool {
        self.clients.try_reserve(1).is_ok() && self.marks.try_reserve(1).is_ok()
    }

    /// Adds a client.
    pub(super) fn add(&mut self, remote: RemoteAddr, entry: Entry, now: u64) {
        self.made += 1;
        self.marks.push(Reverse(Mark { since: now, number: entry.client.number(), remote }));
        self.clients.insert(remote, entry);
    }

    /// When the next client may have been silent for too long; `None` if that does not matter, or there is no client.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let Reverse(mark) = self.marks.peek()?;
        Some(mark.since.saturating_add(self.settings.timeout_nsec()?))
    }

    /// Takes the clients out that were silent for too long. Looks at up to `most`.
    pub(super) fn time_out(&mut self, now: u64, most: usize) -> Vec<Gone> {
        let Some(timeout) = self.settings.timeout_nsec() else { return Vec::new() };
        for _ in 0..most {
            if self.next_deadline().is_none_or(|deadline| deadline > now) {
                break;
            }
            let Some(Reverse(mut mark)) = self.marks.pop() else { break };
            let Some(entry) = self.clients.get(&mark.remote) else { continue };
            mark.since = entry.client.idle_since(now);
            if mark.since.saturating_add(timeout) > now {
                self.marks.push(Reverse(mark));
            } else if let Some(entry) = self.clients.remove(&mark.remote) {
                self.leaving.push(entry.into());
            }
        }
        if self.clients.is_empty() {
            // What a flood has left.
            (self.clients, self.marks) = (HashMap::new(), BinaryHeap::new());
        }
        self.leaving.clone()
    }

    /// The clients that [`time_out`](Self::time_out) has taken out are closed.
    pub(super) fn note_closed(&mut self) {
        self.leaving = Vec::new();
    }

    /// Takes all clients out for good.
    pub(super) fn close(&mut self) -> Vec<Gone> {
        self.is_closed = true;
        self.sweep = None;
        self.marks = BinaryHeap::new();
        let clients = std::mem::take(&mut self.clients);
        // Those that the reactor is closing are closed when closing them again returns.
        let leaving = self.leaving.iter().cloned();
        clients.into_values().map(Gone::from).chain(leaving).collect()
    }
}

impl From<Entry> for Gone {
    /// Lets go of the socket.
    fn from(Entry { client, endpoint, .. }: Entry) -> Self {
        Self { client, endpoint }
    }
}
