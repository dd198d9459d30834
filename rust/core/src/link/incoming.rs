//! Link conditions for what is received: a decorator of a [`Sink`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrayvec::ArrayVec;

use super::conditions::SharedConditions;
use super::counts::LinkCounts;
use super::draws::{Direction, LineId};
use super::lane::{Entered, Lane};
use super::store::{Held, Store};
use crate::clock;
use crate::inbox::Inbox;
use crate::locks::{Mutex, rank};
use crate::queue::{PacketMeta, RemoteAddr};
use crate::sink::{Batch, Delivery, Demand, Received, Sink};
use crate::sys;

/// How many batches are released in one go: then sockets come before the rest.
const BATCHES_IN_TURN: usize = 8;

/// Nothing is held back.
const NEVER: u64 = u64::MAX;

/// Which lane the packets of a sender take.
pub(crate) trait Lanes: Send + fmt::Debug {
    /// Where a packet from that sender goes. A lane may begin with it.
    fn enter(&mut self, sender: &RemoteAddr) -> Way<'_>;

    /// The lane of a packet that was held back.
    fn lane(&mut self, sender: &RemoteAddr) -> Option<&mut Lane>;

    /// Counts packets that go nowhere.
    fn count_dropped(&self, packets: u64);

    /// Called when nothing is held back.
    fn tidy(&mut self);

    /// Whether packets may have to be delayed. While anything is held back they may: what has no conditions any more is forgotten by
    /// [`tidy`](Self::tidy) only.
    fn are_active(&self) -> bool;
}

/// Where a packet goes.
pub(crate) enum Way<'a> {
    /// To the sink, at once.
    Past,
    Through(&'a mut Lane),
    /// Nowhere.
    Nowhere,
}

/// Delivers to `inner`, as late and as incompletely as the lanes say. Costs an atomic operation per batch where there are no conditions.
#[derive(Debug)]
pub(crate) struct Conditioned<S, L> {
    inner: Arc<S>,
    state: Mutex<State<L>, { rank::LINK_IN }>,
    is_active: AtomicBool,
    /// When the next packet is due.
    next_due: AtomicU64,
}

/// What the lock of a [`Conditioned`] guards.
#[derive(Debug)]
struct State<L> {
    lanes: L,
    store: Store<PacketMeta>,
}

impl<S: Sink, L: Lanes> Conditioned<S, L> {
    pub(crate) fn new(inner: Arc<S>, lanes: L) -> Self {
        let state = State { lanes, store: Store::default() };
        Self {
            inner,
            is_active: AtomicBool::new(state.lanes.are_active()),
            state: Mutex::new(state),
            next_due: AtomicU64::new(NEVER),
        }
    }

    /// Whether packets may have to be delayed, so that they must all pass through here.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Relaxed)
    }

    /// Changes the lanes, and perhaps when what is held back is due: the caller [releases](Sink::release) it afterwards.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut L, &mut Store<PacketMeta>) -> T) -> T {
        let mut state = self.state.lock();
        let State { lanes, store } = &mut *state;
        let changed = change(lanes, store);
        self.publish(&mut state);
        changed
    }

    /// Drops what is held back, of all senders.
    pub(crate) fn discard(&self) {
        self.discard_and(|_| {});
    }

    /// The same, and changes the lanes before another packet can come.
    pub(crate) fn discard_and(&self, change: impl FnOnce(&mut L)) {
        let mut state = self.state.lock();
        let State { lanes, store } = &mut *state;
        while let Some(packet) = store.take_next() {
            if let Some(lane) = lanes.lane(&packet.tag.remote()) {
                lane.drop_held(&packet);
            }
        }
        *store = Store::default();
        change(lanes);
        self.publish(&mut state);
    }

    fn publish(&self, state: &mut State<L>) {
        if state.store.is_empty() {
            state.lanes.tidy();
        }
        self.is_active.store(state.lanes.are_active(), Ordering::Relaxed);
        self.next_due.store(state.store.next_due().unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// Delivers what is due, as far as there is room.
    fn release_locked(&self, state: &mut State<L>, in_background: bool, now: u64) -> Delivery {
        let mut delivery = Delivery { available: self.inner.demand().available, ..Delivery::nothing() };
        let mut has_room = true;
        for _ in 0..BATCHES_IN_TURN {
            has_room = in_background || self.inner.demand().room.is_some();
            if !has_room {
                break;
            }
            let State { lanes, store } = &mut *state;
            let mut due: ArrayVec<Held<PacketMeta>, { sys::SLOTS }> = ArrayVec::new();
            while !due.is_full()
                && let Some(packet) = store.take_due(now)
            {
                if lanes.lane(&packet.tag.remote()).is_none_or(|lane| lane.leave(&packet)) {
                    due.push(packet);
                } else {
                    store.recycle(packet.bytes);
                }
            }
            if due.is_empty() {
                break;
            }
            let messages = due.iter().map(received).collect();
            delivery.add(self.inner.deliver(&Batch { messages, in_background }));
            due.into_iter().for_each(|packet| store.recycle(packet.bytes));
        }
        self.publish(state);
        // Where there is no room, the next look at the queue makes some.
        delivery.next_due = state.store.next_due().filter(|_| has_room);
        delivery
    }
}

/// A packet that was held back, as if it had just arrived.
fn received(packet: &Held<PacketMeta>) -> Received<'_> {
    Received {
        bytes: &packet.bytes,
        meta: packet.tag.with_length(packet.bytes.len()).with_time(packet.due / 1_000),
        slot: 0,
    }
}

impl<S: Sink, L: Lanes> Sink for Conditioned<S, L> {
    #[inline]
    fn demand(&self) -> Demand {
        let next_due = self.next_due.load(Ordering::Relaxed);
        let is_due = next_due != NEVER && next_due <= clock::now_nsec();
        Demand { is_due, ..self.inner.demand() }
    }

    #[inline]
    fn deliver(&self, batch: &Batch<'_>) -> Delivery {
        if self.is_active() { self.delay(batch) } else { self.inner.deliver(batch) }
    }

    fn release(&self, in_background: bool) -> Delivery {
        if !self.is_active() {
            return Delivery::nothing();
        }
        self.release_locked(&mut self.state.lock(), in_background, clock::now_nsec())
    }
}

impl<S: Sink, L: Lanes> Conditioned<S, L> {
    #[cold]
    fn delay(&self, batch: &Batch<'_>) -> Delivery {
        let mut state = self.state.lock();
        let now = clock::now_nsec();
        let State { lanes, store } = &mut *state;
        let mut passing = Passing {
            inner: &*self.inner,
            batch: Batch { messages: ArrayVec::new(), in_background: batch.in_background },
            delivery: Delivery::nothing(),
        };
        for message in &batch.messages {
            let lane = match lanes.enter(&message.meta.remote()) {
                Way::Through(lane) => Some(lane),
                Way::Past => None,
                Way::Nowhere => {
                    lanes.count_dropped(message.count() as u64);
                    continue;
                }
            };
            let Some(lane) = lane.and_then(Lane::unless_clear) else {
                passing.push(*message);
                continue;
            };
            // A packet that was read late has come when the kernel has received it.
            let arrived = message.arrived(now);
            for (datagram, meta) in message.datagrams(0) {
                if lane.enter(store, datagram, &meta, arrived) == Entered::Passes {
                    passing.push(Received { bytes: datagram, meta, slot: message.slot });
                }
            }
        }
        let mut delivery = passing.finish();
        let released = self.release_locked(&mut state, batch.in_background, now);
        let next_due = released.next_due;
        delivery.add(released);
        Delivery { next_due, ..delivery }
    }
}

/// The packets of a batch that pass at once.
struct Passing<'a, S> {
    inner: &'a S,
    batch: Batch<'a>,
    delivery: Delivery,
}

impl<'a, S: Sink> Passing<'a, S> {
    fn push(&mut self, message: Received<'a>) {
        // The messages of a batch may have more datagrams than a batch can have messages.
        if self.batch.messages.is_full() {
            self.deliver();
        }
        self.batch.messages.push(message);
    }

    fn deliver(&mut self) {
        self.delivery.add(self.inner.deliver(&self.batch));
        self.batch.messages.clear();
    }

    fn finish(mut self) -> Delivery {
        if !self.batch.messages.is_empty() {
            self.deliver();
        }
        self.delivery
    }
}

/// The sink of a peer that has a socket of its own, with its link conditions.
pub(crate) type ConditionedInbox = Conditioned<Inbox, OneLane>;

/// The lane of a peer that has a socket of its own: one for all senders.
#[derive(Debug, Default)]
pub(crate) struct OneLane(Option<Box<Lane>>);

impl OneLane {
    /// Sets the conditions. Without any, what is held back is due at once.
    pub(crate) fn set(
        &mut self,
        store: &mut Store<PacketMeta>,
        conditions: Option<Arc<SharedConditions>>,
        counts: &Arc<LinkCounts>,
    ) {
        match (&mut self.0, conditions) {
            (Some(lane), Some(conditions)) => lane.set_conditions(conditions),
            (Some(lane), None) => {
                let now = clock::now_nsec();
                lane.end(now);
                store.expedite(now, |_| true);
            }
            (None, Some(conditions)) => {
                let id = LineId { direction: Direction::In, number: 0 };
                self.0 = Some(Box::new(Lane::new(conditions, id, Arc::clone(counts))));
            }
            (None, None) => {}
        }
    }

    /// See [`Lane::set_limit`].
    pub(crate) fn set_limit(&mut self, bytes: usize) {
        if let Some(lane) = &mut self.0 {
            lane.set_limit(bytes);
        }
    }
}

impl Lanes for OneLane {
    fn enter(&mut self, _sender: &RemoteAddr) -> Way<'_> {
        self.0.as_deref_mut().map_or(Way::Past, Way::Through)
    }

    fn lane(&mut self, _sender: &RemoteAddr) -> Option<&mut Lane> {
        self.0.as_deref_mut()
    }

    /// Not reached: every packet has a way.
    fn count_dropped(&self, _packets: u64) {}

    fn tidy(&mut self) {
        self.0.take_if(|lane| lane.has_ended());
    }

    fn are_active(&self) -> bool {
        self.0.is_some()
    }
}
