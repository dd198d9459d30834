//! Where an endpoint delivers the datagrams that it has received.
//!
//! There is one virtual call per batch and none per packet. A sink may decorate another one.

use std::fmt;
use std::mem;

use arrayvec::ArrayVec;

use crate::arrivals::ArrivalId;
use crate::queue::PacketMeta;
use crate::sys;
use crate::waiters::WaiterId;

/// A destination of received datagrams: the queue of one peer, or the peers of a server.
pub(crate) trait Sink: Send + Sync + fmt::Debug {
    /// How much may be read for this sink now. Called before each read, also if nothing turns out to have arrived.
    fn demand(&self) -> Demand;

    /// Takes a batch, in the order of arrival.
    ///
    /// The caller holds the endpoint's receiver, so batches are delivered one after the other. Must not block.
    fn deliver(&self, batch: &Batch<'_>) -> Delivery;

    /// Delivers what is due of what the sink holds back, if it does so. Must not block.
    fn release(&self, _in_background: bool) -> Delivery {
        Delivery::nothing()
    }
}

/// The answer of [`Sink::demand`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// How many packets can be taken already, where one peer takes them; else 0.
    pub(crate) available: usize,
    /// How many bytes may be read; `None` if nothing is to be read now.
    pub(crate) room: Option<usize>,
    /// The least that a message counts for against the limit of bytes that one call reads. Elsewhere than on Linux the kernel's
    /// own cost of a tiny datagram is small, and without a queue that fills up a flood of them could be read for long.
    pub(crate) least_cost: usize,
    /// Whether the sink holds back something that is due: then it is to be [released](Sink::release) first.
    pub(crate) is_due: bool,
}

/// A message from the kernel: one datagram, or several of one size from one sender that the kernel has coalesced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    /// The datagrams back to back.
    pub(crate) bytes: &'a [u8],
    /// Of the first of them. Its length is that of each but the last, which may be shorter.
    pub(crate) meta: PacketMeta,
    /// Where the message lies in the [arena](sys::Arena) that it was received into.
    pub(crate) slot: usize,
}

impl<'a> Received<'a> {
    /// The same, for a queue whose packets do not tell where they arrived.
    pub(crate) fn without_arrival(self) -> Self {
        Self { meta: self.meta.with_arrival(ArrivalId::NONE), ..self }
    }

    /// How many datagrams the message consists of.
    pub(crate) fn count(&self) -> usize {
        self.bytes.len().div_ceil(self.meta.length().max(1)).max(1)
    }

    /// Whether the kernel has coalesced it.
    pub(crate) fn is_coalesced(&self) -> bool {
        self.bytes.len() > self.meta.length()
    }

    /// When it has come, in nanoseconds as the clock of packets' times, given that this is `now`: when the kernel has received it, at
    /// the end of that microsecond.
    pub(crate) fn arrived(&self, now: u64) -> u64 {
        now.min(self.meta.time_usec().saturating_mul(1_000).saturating_add(999))
    }

    /// How many bytes the first `count` datagrams have together.
    pub(crate) fn length_of(&self, count: usize) -> usize {
        self.bytes.len().min(count.saturating_mul(self.meta.length()))
    }

    /// The datagrams from number `from` on.
    pub(crate) fn datagrams(&self, from: usize) -> impl Iterator<Item = (&'a [u8], PacketMeta)> + use<'a> {
        let Self { bytes, meta, .. } = *self;
        let length = meta.length();
        (from..self.count()).map(move |index| {
            let start = index * length;
            let datagram = bytes.get(start..bytes.len().min(start + length)).unwrap_or_default();
            (datagram, meta.with_length(datagram.len()))
        })
    }
}

/// Messages that were read with one call, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) messages: ArrayVec<Received<'a>, { sys::SLOTS }>,
    /// Whether packets are received in the background. Then a full queue drops, and peers are marked for their signal; else what
    /// does not fit into a queue is kept aside until there is room.
    pub(crate) in_background: bool,
}

/// The answer of [`Sink::deliver`].
#[derive(Debug)]
pub(crate) struct Delivery {
    /// How many packets can be taken now, where one peer takes them; else 0.
    pub(crate) available: usize,
    /// The waits that may have come to their end.
    pub(crate) wake: Wake,
    /// When the sink is to be [released](Sink::release) next, on the clock of [`clock::now_nsec`](crate::clock::now_nsec).
    pub(crate) next_due: Option<u64>,
}

impl Delivery {
    pub(crate) fn nothing() -> Self {
        Self { available: 0, wake: Wake::These(ArrayVec::new()), next_due: None }
    }

    /// Adds what another delivery has changed, which came after this one.
    pub(crate) fn add(&mut self, later: Self) {
        self.available = later.available;
        self.wake = match (mem::replace(&mut self.wake, Wake::All), later.wake) {
            (Wake::These(mut these), Wake::These(others)) if others.len() <= these.remaining_capacity() => {
                these.extend(others);
                Wake::These(these)
            }
            _ => Wake::All,
        };
    }
}

/// The waits that are to be woken: all on the socket, or those of these waiters.
#[derive(Debug)]
pub(crate) enum Wake {
    All,
    These(ArrayVec<WaiterId, { sys::SLOTS }>),
}
