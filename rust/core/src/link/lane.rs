//! A line with its conditions, its limit and its counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::conditions::{Conditions, SharedConditions};
use super::counts::{Count, LinkCounts};
use super::draws::LineId;
use super::line::{Arrival, Fate, Line};
use super::store::{Held, Store};

/// What a packet that is held back counts for beside its length: about what it takes beside its payload.
pub(crate) const OVERHEAD: usize = 128;

/// How many bytes a lane holds back, unless its owner says otherwise.
pub(crate) const DEFAULT_LIMIT: usize = 4 << 20;

/// The way of the packets of one direction between two ends.
#[derive(Debug)]
pub(crate) struct Lane {
    conditions: Arc<SharedConditions>,
    /// A copy of the conditions, and their version.
    values: Conditions,
    version: u64,
    are_none: bool,
    line: Line,
    id: LineId,
    counts: Arc<LinkCounts>,
    /// How many packets are held back, what they count for, and how much that may be.
    packets: usize,
    held: usize,
    limit: usize,
    /// What several lanes hold together, see [`SharedLimit`].
    shared: Option<Arc<SharedLimit>>,
    has_ended: bool,
}

/// A limit of bytes that several lanes hold together.
#[derive(Debug)]
pub(crate) struct SharedLimit {
    held: AtomicUsize,
    limit: usize,
}

/// What becomes of a packet at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// It passes as it is.
    Passes,
    /// It is in the store, or is gone.
    Taken,
}

impl SharedLimit {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), limit })
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn try_add(&self, cost: usize) -> bool {
        let add = |held: usize| held.checked_add(cost).filter(|sum| *sum <= self.limit);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }
}

impl Lane {
    pub(crate) fn new(conditions: Arc<SharedConditions>, id: LineId, counts: Arc<LinkCounts>) -> Self {
        let (values, version) = conditions.snapshot();
        Self {
            conditions,
            values,
            version,
            are_none: values.are_none(),
            line: Line::new(values.rng_seed, id),
            id,
            counts,
            packets: 0,
            held: 0,
            limit: DEFAULT_LIMIT,
            shared: None,
            has_ended: false,
        }
    }

    /// The same, which shares a limit with others.
    pub(crate) fn sharing(self, limit: Arc<SharedLimit>) -> Self {
        Self { shared: Some(limit), ..self }
    }

    /// Shares a limit from now on, also if that is exceeded by it.
    pub(crate) fn share(&mut self, limit: &Arc<SharedLimit>) {
        self.unshare();
        limit.held.fetch_add(self.held, Ordering::Relaxed);
        self.shared = Some(Arc::clone(limit));
    }

    /// Counts by other counters from now on, to which what is held back goes over.
    pub(crate) fn count_by(&mut self, counts: Arc<LinkCounts>) {
        self.counts.note_taken(self.packets as u64);
        counts.note_held(self.packets as u64);
        self.counts = counts;
    }

    /// Shares a limit no longer.
    pub(crate) fn unshare(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.held.fetch_sub(self.held, Ordering::Relaxed);
        }
    }

    pub(crate) fn conditions(&self) -> &Arc<SharedConditions> {
        &self.conditions
    }

    pub(crate) fn counts(&self) -> &Arc<LinkCounts> {
        &self.counts
    }

    /// How many bytes may be held back; 0 for the default.
    pub(crate) fn set_limit(&mut self, bytes: usize) {
        self.limit = if bytes == 0 { DEFAULT_LIMIT } else { bytes };
    }

    /// There are no conditions any more. The caller has what is held back fall due at `now` ([`Store::expedite`]); until it is taken, the
    /// lane is needed.
    pub(crate) fn end(&mut self, now: u64) {
        self.conditions = Arc::default();
        (self.values, self.version) = self.conditions.snapshot();
        self.are_none = true;
        self.line = Line::new(0, self.id);
        // What comes now is behind them, also if the kernel has received it before.
        self.line.due_in_order(now);
        self.has_ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Begins a new line with other conditions, or with the same ones. What is held back stays due when it is.
    pub(crate) fn set_conditions(&mut self, conditions: Arc<SharedConditions>) {
        self.conditions = conditions;
        self.has_ended = false;
        self.restart();
    }

    /// Begins a new line, for an end that is opened again.
    pub(crate) fn restart(&mut self) {
        (self.values, self.version) = self.conditions.snapshot();
        self.are_none = self.values.are_none();
        // What is held back is in the way of what comes now.
        let seed = self.values.rng_seed;
        self.line = if self.packets == 0 { Line::new(seed, self.id) } else { self.line.restarted(seed, self.id) };
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// What the packets that are held back count for.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Whether packets pass at once and as they are, as long as the conditions stay.
    #[inline]
    pub(crate) fn is_clear(&mut self) -> bool {
        self.refresh();
        self.are_none && self.packets == 0
    }

    /// This, unless it [is clear](Self::is_clear).
    pub(crate) fn unless_clear(&mut self) -> Option<&mut Self> {
        if self.is_clear() { None } else { Some(self) }
    }

    /// Sends a packet through the line at `now`. What does not pass at once is in the store afterwards, or is gone and counted.
    pub(crate) fn enter<T: Clone>(&mut self, store: &mut Store<T>, bytes: &[u8], tag: &T, now: u64) -> Entered {
        if self.is_clear() {
            return Entered::Passes;
        }
        if self.are_none {
            let due = self.line.due_in_order(now);
            self.hold(store, bytes, Arrival { due, is_reordered: false, flipped_bit: None }, tag.clone());
            return Entered::Taken;
        }
        let passage = self.line.pass(&self.values, bytes.len(), now);
        let passes = |arrival: Arrival| arrival.due <= now && arrival.flipped_bit.is_none();
        if let Fate::Delivered(arrival) = passage.packet
            && self.packets == 0
            && passage.copy.is_none()
            && passes(arrival)
        {
            if arrival.is_reordered {
                self.counts.add(Count::Reordered, 1);
            }
            return Entered::Passes;
        }
        self.follow(store, bytes, passage.packet, tag);
        if let Some(copy) = passage.copy {
            self.counts.add(Count::Duplicated, 1);
            self.follow(store, bytes, copy, tag);
        }
        Entered::Taken
    }

    /// Takes note of a packet that was taken from the store. Whether it comes out of the line.
    pub(crate) fn leave<T>(&mut self, packet: &Held<T>) -> bool {
        self.refresh();
        self.note_taken(packet.bytes.len());
        if self.values.blackout {
            self.counts.add(Count::Lost, 1);
        }
        !self.values.blackout
    }

    /// Takes note of a packet that was taken from the store because its end is closed.
    pub(crate) fn drop_held<T>(&mut self, packet: &Held<T>) {
        self.note_taken(packet.bytes.len());
        self.counts.add(Count::Dropped, 1);
    }

    /// Puts a packet back into the store that could not leave.
    pub(crate) fn put_back<T>(&mut self, store: &mut Store<T>, packet: Held<T>) {
        let length = packet.bytes.len();
        self.note_held(length);
        if let Some(shared) = &self.shared {
            shared.held.fetch_add(cost(length), Ordering::Relaxed);
        }
        if store.put_back(packet).is_err() {
            // Not reached: the packet's place is still there.
            self.note_taken(length);
            self.counts.add(Count::Dropped, 1);
        }
    }

    fn refresh(&mut self) {
        if self.conditions.version() == self.version {
            return;
        }
        let seed = self.values.rng_seed;
        (self.values, self.version) = self.conditions.snapshot();
        self.are_none = self.values.are_none();
        if self.values.rng_seed != seed {
            self.line = self.line.restarted(self.values.rng_seed, self.id);
        }
    }

    fn follow<T: Clone>(&mut self, store: &mut Store<T>, bytes: &[u8], fate: Fate, tag: &T) {
        match fate {
            Fate::Lost => self.counts.add(Count::Lost, 1),
            Fate::Dropped => self.counts.add(Count::Dropped, 1),
            Fate::Delivered(arrival) => self.hold(store, bytes, arrival, tag.clone()),
        }
    }

    fn hold<T>(&mut self, store: &mut Store<T>, bytes: &[u8], arrival: Arrival, tag: T) {
        let cost = cost(bytes.len());
        // An empty lane takes any packet, as a queue does.
        let fits = (self.packets == 0 || self.held + cost <= self.limit)
            && self.shared.as_ref().is_none_or(|shared| shared.try_add(cost));
        if !fits {
            self.counts.add(Count::Dropped, 1);
            return;
        }
        self.note_held(bytes.len());
        if store.hold(arrival.due, bytes, arrival.flipped_bit, tag).is_err() {
            self.note_taken(bytes.len());
            self.counts.add(Count::Dropped, 1);
            return;
        }
        if arrival.is_reordered {
            self.counts.add(Count::Reordered, 1);
        }
        if arrival.flipped_bit.is_some() {
            self.counts.add(Count::Corrupted, 1);
        }
    }

    fn note_held(&mut self, length: usize) {
        self.packets += 1;
        self.held += cost(length);
        self.counts.note_held(1);
    }

    fn note_taken(&mut self, length: usize) {
        self.packets -= 1;
        self.held -= cost(length);
        self.counts.note_taken(1);
        if let Some(shared) = &self.shared {
            shared.held.fetch_sub(cost(length), Ordering::Relaxed);
        }
    }
}

fn cost(length: usize) -> usize {
    length + OVERHEAD
}
