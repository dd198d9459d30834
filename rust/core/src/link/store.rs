//! The packets that are held back, by the time at which they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How much memory of packets that were taken is kept for the next ones, in bytes.
const KEPT_BYTES: usize = 262_144;

/// The same where there may be thousands of stores.
const KEPT_BYTES_OF_MANY: usize = 16_384;

/// How many of its places an empty store keeps.
const KEPT_PLACES: usize = 256;

/// The memory of an earlier packet is used again unless it is so many times larger than needed, and this much more: else small packets
/// would keep the memory of large ones.
const MAX_SLACK: (usize, usize) = (4, 64);

/// Packets that are held back, each with a tag. Allocates nothing once it has held as many packets of that size before.
#[derive(Debug)]
pub(crate) struct Store<T> {
    /// The earliest first; of those that are due at the same time, the one that came first.
    order: BinaryHeap<Reverse<Place>>,
    packets: Vec<Option<(Vec<u8>, T)>>,
    free: Vec<u32>,
    /// Memory of packets that were taken, and its size.
    spares: Vec<Vec<u8>>,
    spare_bytes: usize,
    most_spare_bytes: usize,
    next_serial: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    due: u64,
    serial: u64,
    index: u32,
}

/// A packet that was taken.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) due: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) tag: T,
    serial: u64,
}

/// There is no memory for the packet.
#[derive(Debug)]
pub(crate) struct NoMemory;

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self {
            order: BinaryHeap::new(),
            packets: Vec::new(),
            free: Vec::new(),
            spares: Vec::new(),
            spare_bytes: 0,
            most_spare_bytes: KEPT_BYTES,
            next_serial: 0,
        }
    }
}

impl<T> Store<T> {
    /// One of many, which keeps less memory for later.
    pub(crate) fn of_many() -> Self {
        Self { most_spare_bytes: KEPT_BYTES_OF_MANY, ..Self::default() }
    }

    /// Frees all memory. What is held back is gone.
    pub(crate) fn clear(&mut self) {
        let Self { most_spare_bytes, next_serial, .. } = *self;
        *self = Self { most_spare_bytes, next_serial, ..Self::default() };
    }

    /// When the next packet is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.order.peek().map(|Reverse(place)| place.due)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Holds a copy of a packet until `due`, with one bit flipped if there is one given.
    pub(crate) fn hold(&mut self, due: u64, bytes: &[u8], flipped_bit: Option<usize>, tag: T) -> Result<(), NoMemory> {
        let mut copy = self.spares.pop().unwrap_or_default();
        self.spare_bytes -= copy.capacity();
        if copy.capacity() > MAX_SLACK.0 * bytes.len() + MAX_SLACK.1 {
            copy = Vec::new();
        }
        copy.clear();
        copy.try_reserve_exact(bytes.len()).map_err(|_| NoMemory)?;
        copy.extend_from_slice(bytes);
        if let Some(bit) = flipped_bit
            && let Some(byte) = copy.get_mut(bit / 8)
        {
            *byte ^= 1 << (bit % 8);
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        self.insert(Held { due, bytes: copy, tag, serial })
    }

    /// Puts a packet back that was taken, in its order.
    pub(crate) fn put_back(&mut self, packet: Held<T>) -> Result<(), NoMemory> {
        self.insert(packet)
    }

    fn insert(&mut self, Held { due, bytes, tag, serial }: Held<T>) -> Result<(), NoMemory> {
        self.order.try_reserve(1).map_err(|_| NoMemory)?;
        let index = if let Some(index) = self.free.pop() {
            index
        } else {
            self.packets.try_reserve(1).map_err(|_| NoMemory)?;
            // So that giving a place back needs no memory.
            self.free.try_reserve(self.packets.len() + 1).map_err(|_| NoMemory)?;
            self.packets.push(None);
            u32::try_from(self.packets.len() - 1).map_err(|_| NoMemory)?
        };
        if let Some(place) = self.packets.get_mut(index as usize) {
            *place = Some((bytes, tag));
        }
        self.order.push(Reverse(Place { due, serial, index }));
        Ok(())
    }

    /// Takes the next packet that is due by `now`. Its memory is to be [given back](Self::recycle).
    pub(crate) fn take_due(&mut self, now: u64) -> Option<Held<T>> {
        if self.next_due()? > now { None } else { self.take_next() }
    }

    /// Takes the next packet, also if it is not due.
    pub(crate) fn take_next(&mut self) -> Option<Held<T>> {
        let Reverse(Place { due, serial, index }) = self.order.pop()?;
        let (bytes, tag) = self.packets.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(Held { due, bytes, tag, serial })
    }

    /// Has packets fall due at `now` that would be due later, in the order in which they came.
    pub(crate) fn expedite(&mut self, now: u64, which: impl Fn(&T) -> bool) {
        let Self { order, packets, .. } = self;
        let earlier = |Reverse(mut place): Reverse<Place>| {
            let packet = packets.get(place.index as usize).and_then(Option::as_ref);
            if packet.is_some_and(|(_, tag)| which(tag)) {
                place.due = place.due.min(now);
            }
            Reverse(place)
        };
        *order = std::mem::take(order).into_iter().map(earlier).collect();
    }

    /// Takes the memory of a packet back, to be used again.
    pub(crate) fn recycle(&mut self, bytes: Vec<u8>) {
        if self.is_empty() && self.packets.len() > KEPT_PLACES {
            // What a burst has left.
            self.clear();
        }
        if self.spare_bytes + bytes.capacity() <= self.most_spare_bytes && self.spares.try_reserve(1).is_ok() {
            self.spare_bytes += bytes.capacity();
            self.spares.push(bytes);
        }
    }
}
