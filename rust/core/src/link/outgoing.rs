//! Link conditions for what is sent.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arrayvec::ArrayVec;

use super::conditions::SharedConditions;
use super::draws::LineId;
use super::lane::{Entered, Lane, SharedLimit};
use super::store::{Held, Store};
use crate::clock;
use crate::diagnostics::Diagnostics;
use crate::due_timer::DueTimer;
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, Reason, Result};
use crate::locks::{Mutex, MutexGuard, rank};
use crate::reactor::OnTimer;
use crate::route::{Origin, Route};
use crate::sink::Received;
use crate::socket::Socket;
use crate::sys::{Payloads, Source};

/// How many datagrams are sent with one call of the system, where they have one destination.
const BATCH: usize = 32;

/// When datagrams are tried again that the kernel had no room for.
const BUSY_NSEC: u64 = 1_000_000;

/// How many batches are sent in one go: then the reactor turns to its sockets.
const BATCHES_IN_TURN: usize = 8;

/// What is sent from one end to another, as late and as incompletely as its conditions say. Outlives the sockets that it is sent by.
#[derive(Debug)]
pub(crate) struct Outgoing {
    state: Mutex<State, { rank::LINK_OUT }>,
    diagnostics: Arc<Diagnostics>,
    timer: DueTimer,
    /// Whether there are no conditions any more and nothing is held back.
    is_over: AtomicBool,
}

/// What the lock of an [`Outgoing`] guards. It is held while a batch is sent, so that packets keep their order.
#[derive(Debug)]
struct State {
    lane: Lane,
    store: Store<Exit>,
    /// What held datagrams are sent by.
    endpoint: Weak<Endpoint>,
    /// Whether that is a server's, which counts too.
    is_server: bool,
    /// Until when nothing is sent, since the kernel had no room.
    busy_until: u64,
}

/// How a datagram that is held back is to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Exit {
    to: SocketAddr,
    is_connected: bool,
    origin: HeldOrigin,
}

/// See [`Origin`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum HeldOrigin {
    System,
    Chosen(Source),
    Interface(Source),
    Asked(Source),
}

impl Outgoing {
    pub(crate) fn new(conditions: Arc<SharedConditions>, id: LineId, diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        Self::with(Lane::new(conditions, id, Arc::clone(diagnostics.link())), Store::default(), diagnostics)
    }

    /// One of many, which share a limit of bytes.
    pub(crate) fn sharing(
        limit: Arc<SharedLimit>,
        conditions: Arc<SharedConditions>,
        id: LineId,
        diagnostics: Arc<Diagnostics>,
    ) -> Arc<Self> {
        let lane = Lane::new(conditions, id, Arc::clone(diagnostics.link())).sharing(limit);
        Self::with(lane, Store::of_many(), diagnostics)
    }

    fn with(lane: Lane, store: Store<Exit>, diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        let state = State { lane, store, endpoint: Weak::new(), is_server: false, busy_until: 0 };
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            state: Mutex::new(state),
            diagnostics,
            timer: DueTimer::new(Weak::clone(me) as _),
            is_over: AtomicBool::new(false),
        })
    }

    /// Sets what held datagrams are sent by, and begins a new line. `is_server`: it is a server's, which counts too.
    pub(crate) fn attach(&self, endpoint: &Arc<Endpoint>, is_server: bool) {
        let mut state = self.state.lock();
        state.endpoint = Arc::downgrade(endpoint);
        state.is_server = is_server;
        state.lane.restart();
    }

    /// See [`Lane::set_limit`].
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.state.lock().lane.set_limit(bytes);
    }

    /// Begins a new line with other conditions. Without any, what is held back is sent at once.
    pub(crate) fn set_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        let mut state = self.state.lock();
        if let Some(conditions) = conditions {
            state.lane.set_conditions(conditions);
        } else {
            let now = clock::now_nsec();
            state.lane.end(now);
            state.store.expedite(now, |_| true);
        }
        if self.schedule(state).is_err() {
            // There is no thread that would.
            self.on_timer();
        }
    }

    /// Whether there is no need for this any more.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Whether anything is held back.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.state.lock().store.is_empty()
    }

    /// Drops and counts what is held back, unless it is to be sent by another endpoint by now.
    fn discard_of(&self, endpoint: &Weak<Endpoint>) {
        let state = self.state.lock();
        if Weak::ptr_eq(&state.endpoint, endpoint) {
            self.discard_locked(state);
        }
    }

    /// Drops and counts what is held back.
    pub(crate) fn discard(&self) {
        self.discard_locked(self.state.lock());
    }

    fn discard_locked(&self, mut state: MutexGuard<'_, State, { rank::LINK_OUT }>) {
        let State { lane, store, .. } = &mut *state;
        while let Some(packet) = store.take_next() {
            lane.drop_held(&packet);
        }
        store.clear();
        // Nothing is held back, so there is no timer to set.
        let _ = self.schedule(state);
    }

    /// Sends a datagram by `route`, which is the endpoint's, or holds it back. An error is the caller's to record.
    pub(crate) fn send_one(&self, route: &Route<'_>, to: SocketAddr, datagram: &[u8]) -> Result<()> {
        let to = route.connected_to.unwrap_or(to);
        // What the kernel refuses is refused by the kernel, so that the script learns why.
        if route.may_carry(to, datagram.len()) {
            let mut state = self.state.lock();
            if !state.lane.is_clear() {
                let now = clock::now_nsec();
                let State { lane, store, .. } = &mut *state;
                if lane.enter(store, datagram, &Exit::new(route, to), now) == Entered::Taken {
                    self.send_due(&mut state, route.socket, route.server, now);
                    self.schedule_or_send(state, route.socket, route.server);
                    return Ok(());
                }
            }
        }
        route.send_one(&self.diagnostics, to, datagram)
    }

    /// Sends datagrams in order by `route`, or holds them back; how many were taken. An error is recorded.
    pub(crate) fn send_all(&self, route: &Route<'_>, to: SocketAddr, payloads: &Payloads<'_>) -> usize {
        let to = route.connected_to.unwrap_or(to);
        let count = payloads.len();
        let mut state = self.state.lock();
        if state.lane.is_clear() {
            drop(state);
            return route.send_all(&self.diagnostics, to, payloads);
        }
        let now = clock::now_nsec();
        let exit = Exit::new(route, to);
        let mut passing: ArrayVec<&[u8], BATCH> = ArrayVec::new();
        let mut last = 0;
        for index in 0..count {
            let datagram = payloads.get(index).unwrap_or_default();
            let State { lane, store, .. } = &mut *state;
            let passes =
                !route.may_carry(to, datagram.len()) || lane.enter(store, datagram, &exit, now) == Entered::Passes;
            if passes {
                passing.push(datagram);
                last = index;
            }
            if passing.is_full() || (index + 1 == count && !passing.is_empty()) {
                let (sent, error) = route.try_all(&self.diagnostics, to, &Payloads::Each(&passing));
                if let Some(error) = error {
                    // Where only some have passed, this is the last that may be meant.
                    let index = last + 1 - (passing.len() - sent);
                    route.record_refused(&self.diagnostics, error, index, count);
                    self.schedule_or_send(state, route.socket, route.server);
                    return index;
                }
                passing.clear();
            }
        }
        self.send_due(&mut state, route.socket, route.server, now);
        self.schedule_or_send(state, route.socket, route.server);
        count
    }

    /// Sends the datagrams of messages in order by `route`, or holds them back. Those that the kernel refuses are dropped: each counts as
    /// a send error, now or when it is due.
    pub(crate) fn forward(&self, route: &Route<'_>, to: SocketAddr, messages: &[Received<'_>]) {
        let to = route.connected_to.unwrap_or(to);
        let mut state = self.state.lock();
        if state.lane.is_clear() {
            drop(state);
            return route.forward(&self.diagnostics, to, messages);
        }
        let now = clock::now_nsec();
        let exit = Exit::new(route, to);
        let mut passing: ArrayVec<&[u8], BATCH> = ArrayVec::new();
        let State { lane, store, .. } = &mut *state;
        for message in messages {
            let arrived = message.arrived(now);
            for (datagram, _) in message.datagrams(0) {
                if passing.is_full() {
                    route.send_or_drop(&self.diagnostics, to, Payloads::Each(&passing));
                    passing.clear();
                }
                if lane.enter(store, datagram, &exit, arrived) == Entered::Passes {
                    passing.push(datagram);
                }
            }
        }
        route.send_or_drop(&self.diagnostics, to, Payloads::Each(&passing));
        self.send_due(&mut state, route.socket, route.server, now);
        self.schedule_or_send(state, route.socket, route.server);
    }

    /// Sets the timer for what is held back, and gives the lock back.
    fn schedule(&self, state: MutexGuard<'_, State, { rank::LINK_OUT }>) -> io::Result<()> {
        let (due, busy_until) = (state.store.next_due(), state.busy_until);
        self.is_over.store(due.is_none() && state.lane.has_ended(), Ordering::Relaxed);
        drop(state);
        due.map_or(Ok(()), |due| self.timer.set(due.max(busy_until)))
    }

    /// The same, for a caller that has the socket. Where there is no thread to send what is held back when it is due, it is sent at once:
    /// nobody else would. That is recorded.
    fn schedule_or_send(
        &self,
        state: MutexGuard<'_, State, { rank::LINK_OUT }>,
        socket: &Socket,
        server: Option<&Diagnostics>,
    ) {
        let Err(error) = self.schedule(state) else { return };
        self.diagnostics.record(&Error::new(Operation::Send, "", Reason::NoThread(error)));
        let mut state = self.state.lock();
        let now = clock::now_nsec();
        state.store.expedite(now, |_| true);
        while now >= state.busy_until && !state.store.is_empty() {
            self.send_due(&mut state, socket, server, now);
        }
        // Where the kernel has no room, the next call tries again.
        let _ = self.schedule(state);
    }

    /// Sends what is due.
    fn send_due(&self, state: &mut State, socket: &Socket, server: Option<&Diagnostics>, now: u64) {
        if now < state.busy_until {
            return;
        }
        for _ in 0..BATCHES_IN_TURN {
            let State { lane, store, busy_until, .. } = &mut *state;
            let mut due: ArrayVec<Held<Exit>, BATCH> = ArrayVec::new();
            while !due.is_full()
                && let Some(packet) = store.take_due(now)
            {
                if lane.leave(&packet) {
                    due.push(packet);
                } else {
                    store.recycle(packet.bytes);
                }
            }
            let is_last = !due.is_full();
            let sent = self.send_batch(&due, socket, server);
            let is_busy = sent < due.len();
            for (index, packet) in due.into_iter().enumerate() {
                if index < sent {
                    store.recycle(packet.bytes);
                } else {
                    lane.put_back(store, packet);
                }
            }
            // What the kernel had no room for stays due.
            if is_busy {
                *busy_until = now + BUSY_NSEC;
            }
            if is_last || is_busy {
                break;
            }
        }
    }

    /// Sends datagrams that are due, until the kernel has no room for the next one; how many. Another that it refuses is counted and
    /// passed over.
    fn send_batch(&self, due: &[Held<Exit>], socket: &Socket, server: Option<&Diagnostics>) -> usize {
        let mut sent = 0;
        while let Some(first) = due.get(sent) {
            let exit = first.tag;
            let rest = due.get(sent..).unwrap_or_default();
            let run: ArrayVec<&[u8], BATCH> =
                rest.iter().take_while(|packet| packet.tag == exit).map(|packet| packet.bytes.as_slice()).collect();
            let route = exit.route(socket, server);
            let (taken, error) = route.try_all(&self.diagnostics, exit.to, &Payloads::Each(&run));
            sent += taken;
            match error {
                None => {}
                Some(Error { reason: Reason::Busy(_), .. }) => break,
                Some(error) => {
                    let _ = self.diagnostics.recorded_send::<()>(Err(error));
                    if let Some(server) = server {
                        server.count_send_error();
                    }
                    sent += 1;
                }
            }
        }
        sent
    }
}

impl OnTimer for Outgoing {
    fn on_timer(&self) {
        self.timer.note_fired();
        let weak = Weak::clone(&self.state.lock().endpoint);
        let Some(endpoint) = weak.upgrade() else { return self.discard_of(&weak) };
        let sent = endpoint.with_socket(|socket| {
            let mut state = self.state.lock();
            let server = state.is_server.then(|| endpoint.diagnostics());
            self.send_due(&mut state, socket, server, clock::now_nsec());
            self.schedule_or_send(state, socket, server);
        });
        if sent.is_none() {
            self.discard_of(&weak);
        }
    }
}

impl Exit {
    fn new(route: &Route<'_>, to: SocketAddr) -> Self {
        let origin = match route.origin {
            Origin::System => HeldOrigin::System,
            Origin::Chosen(source) => HeldOrigin::Chosen(*source),
            Origin::Interface(source) => HeldOrigin::Interface(*source),
            Origin::AskedBefore(source) => HeldOrigin::Asked(*source),
            Origin::Asked(inbox) => inbox.answer_from().map_or(HeldOrigin::System, HeldOrigin::Asked),
        };
        Self { to, is_connected: route.connected_to.is_some(), origin }
    }

    fn route<'a>(&'a self, socket: &'a Socket, server: Option<&'a Diagnostics>) -> Route<'a> {
        let origin = match &self.origin {
            HeldOrigin::System => Origin::System,
            HeldOrigin::Chosen(source) => Origin::Chosen(source),
            HeldOrigin::Interface(source) => Origin::Interface(source),
            HeldOrigin::Asked(source) => Origin::AskedBefore(source),
        };
        Route { socket, connected_to: self.is_connected.then_some(self.to), origin, server }
    }
}
