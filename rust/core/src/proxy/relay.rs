//! A relay in operation: what its listening socket receives is sent to the target by the socket of the client that it is from.
//!
//! Made when the relay is started, and of no more use once it is stopped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use parking_lot::{Condvar, Mutex};

use super::client::{Client, Exit, LEAST_COST};
use super::table::{Entry, Settings, Table};
use super::way::Ways;
use crate::address;
use crate::clock;
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, Reason, Result};
use crate::link::lane::SharedLimit;
use crate::locks::{self, rank};
use crate::queue::PacketMeta;
use crate::reactor::{self, OnTimer};
use crate::sink::{Batch, Delivery, Demand, Received, Sink};
use crate::socket::options::Options;
use crate::socket::{Opened, Setup, Socket};
use crate::sys;

/// What the kernel is asked for as the receive buffer of a client's socket, in bytes.
const CLIENT_BUFFER: usize = 1 << 20;

/// How many bytes all lines together may hold back.
const HELD_LIMIT: usize = 64 << 20;

/// How many clients are looked at in one turn of the reactor for whether they are silent.
const LOOKS_IN_TURN: usize = 100;

/// How long after one look the next one comes, at least.
const SWEEP_PAUSE: Duration = Duration::from_millis(5);

/// The longest that a call waits for another thread which stops the relay.
const MAX_CLOSING_TIME: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Relay {
    target: SocketAddr,
    exit: Arc<Exit>,
    ways: Arc<Ways>,
    limit: Arc<SharedLimit>,
    table: locks::Mutex<Table, { rank::RELAY_TABLE }>,
    is_stopped: Mutex<bool>,
    stopped: Condvar,
    me: Weak<Relay>,
}

impl Relay {
    /// `socket` is the one that it listens on.
    pub(super) fn new(socket: Arc<Socket>, target: SocketAddr, settings: Settings, ways: Arc<Ways>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            target,
            exit: Exit::new(socket),
            ways,
            limit: SharedLimit::new(HELD_LIMIT),
            table: locks::Mutex::new(Table::new(settings)),
            is_stopped: Mutex::new(false),
            stopped: Condvar::new(),
            me: Weak::clone(me),
        })
    }

    /// Has it listen by `endpoint`, which delivers to it.
    pub(super) fn listen(&self, endpoint: &Arc<Endpoint>) {
        self.exit.set_endpoint(endpoint);
    }

    pub(super) fn clients(&self) -> usize {
        self.table.lock().len()
    }

    /// Changes the settings, and applies those of conditions in `to_target` and `to_client`.
    pub(super) fn set(&self, settings: &Settings, to_target: bool, to_client: bool) {
        let mut table = self.table.lock();
        table.settings = settings.clone();
        for Entry { client, endpoint, .. } in table.entries() {
            if to_target {
                client.set_to_target(settings.to_target.clone(), &self.limit, endpoint);
            }
            if to_client {
                client.set_to_client(settings.to_client.clone(), &self.limit);
            }
        }
        self.set_sweep(&mut table, SWEEP_PAUSE);
    }

    /// Closes all sockets; when this returns, their ports are free. What is held back is dropped and counted. `endpoint` is the
    /// listening one. The caller holds no lock, and this is called once.
    pub(super) fn stop(&self, endpoint: &Endpoint) {
        let gone = self.table.lock().close();
        self.exit.close();
        endpoint.close();
        for one in gone {
            one.close();
        }
        *self.is_stopped.lock() = true;
        self.stopped.notify_all();
    }

    /// Returns when another thread has [stopped](Self::stop) it.
    pub(super) fn await_stopped(&self) {
        let mut is_stopped = self.is_stopped.lock();
        self.stopped.wait_while_for(&mut is_stopped, |is_stopped| !*is_stopped, MAX_CLOSING_TIME);
    }

    /// Sends what has come from one client to the target.
    fn forward(&self, table: &mut Table, messages: &[Received<'_>]) {
        let Some(first) = messages.first() else { return };
        let remote = first.meta.remote();
        if table.get(&remote).is_none() {
            self.admit(table, &first.meta);
        }
        let way = &self.ways.to_target;
        way.count_in(messages);
        match table.get(&remote) {
            Some(entry) => entry.client.send_to_target(&entry.socket, self.target, messages),
            None => way.count_dropped(messages),
        }
    }

    /// Makes a client for a new sender, if there is room.
    fn admit(&self, table: &mut Table, meta: &PacketMeta) {
        if !table.has_room() {
            return;
        }
        let opened =
            if table.has_memory() { self.open(table, meta.sender()) } else { Err(self.no_client(Reason::OutOfMemory)) };
        match opened {
            Ok(entry) => {
                table.add(meta.remote(), entry, clock::now_nsec());
                table.failing = None;
                self.set_sweep(table, SWEEP_PAUSE);
            }
            Err(error) => {
                // Once, and not for each packet.
                let code = error.os_code();
                if table.failing != Some(code) {
                    self.ways.diagnostics().record(&error);
                }
                table.failing = Some(code);
            }
        }
    }

    /// Makes a client with a socket of its own.
    fn open(&self, table: &Table, address: SocketAddr) -> Result<Entry> {
        let any: IpAddr = match self.target {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let setup = Setup { options: &Options::default(), multicast_interface: Ok(None) };
        let opened = Socket::bound(Some(SocketAddr::new(any, 0)), 0, CLIENT_BUFFER, setup);
        let Opened { socket, .. } = opened.map_err(|reason| self.no_client(reason))?;
        let connected_to =
            socket.connect(self.target).map_err(|error| self.no_client(socket.refusal(self.target, error)))?;
        let socket = Arc::new(socket);
        let client = Client::new(address, table.next_number(), Arc::clone(&self.exit), Arc::clone(&self.ways));
        let sink: Arc<dyn Sink> = Arc::<Client>::clone(&client);
        let diagnostics = Arc::clone(&self.ways.to_target.diagnostics);
        let endpoint = Endpoint::connected(Arc::clone(&socket), Some(connected_to), sink, diagnostics);
        endpoint.start_background(&socket).map_err(|error| self.no_client(Reason::Os(error)))?;
        client.set_to_target(table.settings.to_target.clone(), &self.limit, &endpoint);
        client.set_to_client(table.settings.to_client.clone(), &self.limit);
        Ok(Entry { client, endpoint, socket })
    }

    fn no_client(&self, reason: Reason) -> Error {
        Error::new(Operation::Connect, address::describe(self.target), reason)
    }

    /// Sets the timer for the next client that may be silent for too long, in `least` at the earliest.
    fn set_sweep(&self, table: &mut Table, least: Duration) {
        let Some(deadline) = table.next_deadline().filter(|_| !table.is_closed()) else {
            table.sweep = None;
            return;
        };
        if table.sweep.as_ref().is_some_and(|(at, _)| *at == deadline) {
            return;
        }
        let remaining = Duration::from_nanos(deadline.saturating_sub(clock::now_nsec())).max(least);
        let target: Weak<dyn OnTimer> = Weak::<Self>::clone(&self.me);
        // The reactor's thread runs already, so this does not fail.
        table.sweep = Instant::now()
            .checked_add(remaining)
            .and_then(|at| reactor::set_timer(at, target).ok())
            .map(|timer| (deadline, timer));
    }
}

impl Sink for Relay {
    fn demand(&self) -> Demand {
        // Nothing is queued here.
        Demand { available: 0, room: Some(usize::MAX), least_cost: LEAST_COST, is_due: false }
    }

    fn deliver(&self, batch: &Batch<'_>) -> Delivery {
        let mut table = self.table.lock();
        // All that one client has sent, and then all of the next: fewer and larger batches to send.
        let mut is_done = [false; sys::SLOTS];
        for (index, first) in batch.messages.iter().enumerate() {
            if is_done[index] {
                continue;
            }
            let sender = first.meta.remote();
            let mut of_sender: ArrayVec<Received<'_>, { sys::SLOTS }> = ArrayVec::new();
            for (message, is_done) in batch.messages.iter().zip(&mut is_done).skip(index) {
                if message.meta.remote() == sender {
                    of_sender.push(*message);
                    *is_done = true;
                }
            }
            self.forward(&mut table, &of_sender);
        }
        Delivery::nothing()
    }
}

impl OnTimer for Relay {
    fn on_timer(&self) {
        let gone = {
            let mut table = self.table.lock();
            table.sweep = None;
            table.time_out(clock::now_nsec(), LOOKS_IN_TURN)
        };
        for one in &gone {
            one.close();
        }
        let mut table = self.table.lock();
        table.note_closed();
        let is_due = table.next_deadline().is_some_and(|deadline| deadline <= clock::now_nsec());
        self.set_sweep(&mut table, if is_due { Duration::ZERO } else { SWEEP_PAUSE });
    }
}
