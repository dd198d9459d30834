//! One client of a relay: what it sends and what is sent to it, each by a line of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use super::way::{Way, Ways};
use crate::arrivals::ArrivalId;
use crate::clock;
use crate::endpoint::Endpoint;
use crate::link::conditions::SharedConditions;
use crate::link::draws::{Direction, LineId};
use crate::link::lane::SharedLimit;
use crate::link::outgoing::Outgoing;
use crate::locks::{Mutex, RwLock, rank};
use crate::queue::PacketMeta;
use crate::route::{Origin, Route};
use crate::sink::{Batch, Delivery, Demand, Received, Sink};
use crate::socket::Socket;

/// See [`Demand::least_cost`].
pub(super) const LEAST_COST: usize = 512;

/// The socket that a relay listens on, for what is sent to its clients.
#[derive(Debug)]
pub(super) struct Exit {
    /// `None` once the relay is stopped.
    socket: RwLock<Option<Arc<Socket>>, { rank::RELAY_SOCKET }>,
    endpoint: OnceLock<Weak<Endpoint>>,
}

/// The sink of a client's own socket: what the target sends to it.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    /// Of the clients of this relay, in the order in which they came.
    number: u64,
    /// Where its last packet arrived, if the listening socket is told: the bits of an [`ArrivalId`].
    arrival: AtomicU32,
    /// When it last sent something or was sent something, see [`clock::now_nsec`].
    last_active: AtomicU64,
    lines: Lines,
    exit: Arc<Exit>,
    ways: Arc<Ways>,
}

#[derive(Debug, Default)]
struct Lines {
    to_target: Line,
    to_client: Line,
}

/// What holds back the packets of a client in one direction, once there were conditions for it.
#[derive(Debug, Default)]
struct Line(Mutex<Option<Arc<Outgoing>>, { rank::RELAY_LINES }>);

/// What a line begins with.
struct Setup<'a> {
    id: LineId,
    way: &'a Way,
    limit: &'a Arc<SharedLimit>,
    endpoint: &'a Arc<Endpoint>,
}

impl Exit {
    pub(super) fn new(socket: Arc<Socket>) -> Arc<Self> {
        Arc::new(Self { socket: RwLock::new(Some(socket)), endpoint: OnceLock::new() })
    }

    /// Sets the endpoint of the socket, once.
    pub(super) fn set_endpoint(&self, endpoint: &Arc<Endpoint>) {
        let _ = self.endpoint.set(Arc::downgrade(endpoint));
    }

    fn endpoint(&self) -> Option<Arc<Endpoint>> {
        self.endpoint.get()?.upgrade()
    }

    fn with_socket<T>(&self, with: impl FnOnce(&Socket) -> T) -> Option<T> {
        self.socket.read().as_deref().map(with)
    }

    /// Lets go of the socket.
    pub(super) fn close(&self) {
        *self.socket.write() = None;
    }
}

impl Client {
    pub(super) fn new(address: SocketAddr, number: u64, exit: Arc<Exit>, ways: Arc<Ways>) -> Arc<Self> {
        Arc::new(Self {
            address,
            number,
            arrival: AtomicU32::new(ArrivalId::NONE.to_bits()),
            last_active: AtomicU64::new(clock::now_nsec()),
            lines: Lines::default(),
            exit,
            ways,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Since when it is silent in both directions. What is held back is still to be sent, so while there is any, it is not.
    pub(super) fn idle_since(&self, now: u64) -> u64 {
        let is_waiting = self.lines.to_target.is_waiting() || self.lines.to_client.is_waiting();
        if is_waiting { now } else { self.last_active.load(Ordering::Relaxed) }
    }

    /// Sets the conditions of what is sent to the target by `endpoint`, the client's own.
    pub(super) fn set_to_target(
        &self,
        conditions: Option<Arc<SharedConditions>>,
        limit: &Arc<SharedLimit>,
        endpoint: &Arc<Endpoint>,
    ) {
        let id = LineId { direction: Direction::Out, number: self.number };
        self.lines.to_target.set(conditions, &Setup { id, way: &self.ways.to_target, limit, endpoint });
    }

    /// Sets the conditions of what is sent to the client.
    pub(super) fn set_to_client(&self, conditions: Option<Arc<SharedConditions>>, limit: &Arc<SharedLimit>) {
        let id = LineId { direction: Direction::In, number: self.number };
        if let Some(endpoint) = self.exit.endpoint() {
            self.lines.to_client.set(conditions, &Setup { id, way: &self.ways.to_client, limit, endpoint: &endpoint });
        }
    }

    /// Sends to the target what has come from the client, which is counted already, by `socket`, the client's own.
    pub(super) fn send_to_target(&self, socket: &Socket, target: SocketAddr, messages: &[Received<'_>]) {
        self.last_active.store(clock::now_nsec(), Ordering::Relaxed);
        let arrival = messages.last().map(|message| PacketMeta::arrival(&message.meta));
        if let Some(arrival) = arrival.filter(|arrival| !arrival.is_none()) {
            self.arrival.store(arrival.to_bits(), Ordering::Relaxed);
        }
        let route = Route { socket, connected_to: Some(target), origin: Origin::System, server: None };
        self.lines.to_target.forward(&self.ways.to_target, &route, target, messages);
    }

    /// Drops and counts what is held back, in both directions.
    pub(super) fn discard(&self) {
        self.lines.to_target.discard();
        self.lines.to_client.discard();
    }
}

impl Sink for Client {
    fn demand(&self) -> Demand {
        // Nothing is queued here.
        Demand { available: 0, room: Some(usize::MAX), least_cost: LEAST_COST, is_due: false }
    }

    fn deliver(&self, batch: &Batch<'_>) -> Delivery {
        self.last_active.store(clock::now_nsec(), Ordering::Relaxed);
        let way = &self.ways.to_client;
        way.count_in(&batch.messages);
        let sent = self.exit.with_socket(|socket| {
            let source = ArrivalId::from_bits(self.arrival.load(Ordering::Relaxed)).answer();
            let origin = source.as_ref().map_or(Origin::System, Origin::AskedBefore);
            let route = Route { socket, connected_to: None, origin, server: None };
            self.lines.to_client.forward(way, &route, self.address, &batch.messages);
        });
        if sent.is_none() {
            way.count_dropped(&batch.messages);
        }
        Delivery::nothing()
    }
}

impl Line {
    /// Sets the conditions. Without any, what is held back is sent at once.
    fn set(&self, conditions: Option<Arc<SharedConditions>>, setup: &Setup<'_>) {
        let mut line = self.0.lock();
        match (&*line, conditions) {
            (Some(outgoing), conditions) => outgoing.set_conditions(conditions),
            (None, Some(conditions)) => {
                let Setup { id, way, limit, endpoint } = *setup;
                let outgoing = Outgoing::sharing(Arc::clone(limit), conditions, id, Arc::clone(&way.diagnostics));
                outgoing.attach(endpoint, false);
                *line = Some(outgoing);
            }
            (None, None) => {}
        }
    }

    fn forward(&self, way: &Way, route: &Route<'_>, to: SocketAddr, messages: &[Received<'_>]) {
        let line = self.0.lock();
        match line.as_deref().filter(|outgoing| !outgoing.is_over()) {
            Some(outgoing) => outgoing.forward(route, to, messages),
            None => route.forward(&way.diagnostics, to, messages),
        }
    }

    fn is_waiting(&self) -> bool {
        self.0.lock().as_deref().is_some_and(Outgoing::is_waiting)
    }

    fn discard(&self) {
        if let Some(outgoing) = &*self.0.lock() {
            outgoing.discard();
        }
    }
}
