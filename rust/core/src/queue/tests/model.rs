//! The queue compared with a simple model of it, in random sequences of operations.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::arrivals::ArrivalId;

/// What a queue does, written as simply as possible.
#[derive(Debug, Default)]
struct Model {
    available: VecDeque<Entry>,
    /// What the available packets cost.
    used: usize,
    overflow: VecDeque<Entry>,
    bound: usize,
    default_bound: usize,
    policy: OverflowPolicy,
    counts: QueueCounts,
    total: QueueCounts,
    /// What a server would have in its own sum, which is reset by itself.
    sum: QueueCounts,
}

/// Payload, sender, when and where it arrived; and whether the counts were reset after it was counted.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    payload: Vec<u8>,
    sender: SocketAddr,
    time: u64,
    arrival: ArrivalId,
    is_counted_before: bool,
    is_summed_before: bool,
}

impl Model {
    fn clear(&mut self) {
        self.available.clear();
        self.used = 0;
        self.overflow.clear();
    }

    fn reset(&mut self, recv_buf_size: usize) {
        self.clear();
        let mut ring = 65_536;
        while ring <= recv_buf_size {
            ring *= 2;
        }
        self.default_bound = ring - 1;
        self.bound = self.default_bound;
    }

    fn take(&mut self) -> Option<Entry> {
        let entry = self.available.pop_front()?;
        self.used -= entry.payload.len() + 24;
        Some(entry)
    }

    fn fits(&self, entry: &Entry) -> bool {
        self.available.is_empty() || self.used + entry.payload.len() + 24 <= self.bound
    }

    fn promote(&mut self) {
        while self.overflow.front().is_some_and(|entry| self.fits(entry)) {
            let entry = self.overflow.pop_front().unwrap();
            for counts in [&mut self.counts, &mut self.total, &mut self.sum] {
                counts.packets += 1;
                counts.bytes += entry.payload.len() as u64;
            }
            self.used += entry.payload.len() + 24;
            self.available.push_back(entry);
        }
    }

    fn push_or_overflow(&mut self, entry: Entry) {
        let is_next = self.overflow.is_empty();
        self.overflow.push_back(entry);
        // A packet does not promote those before it.
        if is_next {
            self.promote();
        }
    }

    fn push_or_drop(&mut self, entry: Entry) {
        self.promote();
        while self.policy == OverflowPolicy::DropOldest && !(self.overflow.is_empty() && self.fits(&entry)) {
            let oldest = self.take().unwrap();
            self.count_dropped(&oldest);
            self.promote();
        }
        if self.overflow.is_empty() && self.fits(&entry) {
            self.push_or_overflow(entry);
        } else {
            for counts in [&mut self.counts, &mut self.total, &mut self.sum] {
                counts.dropped += 1;
            }
        }
    }

    /// Counts a packet as dropped that had entered.
    fn count_dropped(&mut self, entry: &Entry) {
        let Self { counts, total, sum, .. } = self;
        for (counts, is_older) in [(counts, entry.is_counted_before), (total, false), (sum, entry.is_summed_before)] {
            counts.dropped += 1;
            if !is_older {
                counts.packets -= 1;
                counts.bytes -= entry.payload.len() as u64;
            }
        }
    }

    fn set_size(&mut self, bytes: usize) {
        self.bound = if bytes == 0 { self.default_bound } else { bytes };
        while self.used > self.bound && self.available.len() > 1 {
            let dropped = match self.policy {
                OverflowPolicy::DropOldest => self.available.pop_front().unwrap(),
                OverflowPolicy::DropNewest => self.available.pop_back().unwrap(),
            };
            self.used -= dropped.payload.len() + 24;
            self.count_dropped(&dropped);
            if self.used <= self.bound && self.policy == OverflowPolicy::DropNewest {
                // What is behind moves up.
                self.promote();
                break;
            }
        }
    }

    fn discard_all(&mut self) {
        while !(self.available.is_empty() && self.overflow.is_empty()) {
            self.promote();
            let oldest = self.take().unwrap();
            self.count_dropped(&oldest);
        }
    }

    fn reset_sum(&mut self) {
        self.sum = QueueCounts::default();
        self.available.iter_mut().for_each(|entry| entry.is_summed_before = true);
    }

    fn reset_counts(&mut self) {
        self.counts = QueueCounts::default();
        self.available.iter_mut().for_each(|entry| entry.is_counted_before = true);
    }
}

#[derive(Clone, Debug)]
enum Operation {
    /// Pushes so many packets of this length.
    PushOrOverflow(usize, usize),
    PushOrDrop(usize, usize),
    Promote,
    /// Takes up to so many packets one by one.
    Pop(usize),
    /// Takes so many packets one by one; those of at most so many bytes are copied.
    PopOrCopy(usize, usize),
    /// Takes up to so many packets in runs.
    PopRuns(usize),
    /// Lets go of the packets that were taken before.
    Release,
    SetPolicy(OverflowPolicy),
    SetLowMemory(bool),
    /// Whether packets tell from now on where they arrived.
    TellArrivals(bool),
    Reset(usize),
    SetSize(usize),
    DiscardAll,
    Clear,
    ResetCounts,
    ResetSum,
    /// Reads the socket so many times without finding a packet.
    EmptyReads(u8),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let length = || prop_oneof![3 => 0..40_usize, 3 => 0..2_000_usize, 1 => 0..=MAX_DATAGRAM];
    let count = || prop_oneof![6 => 0..8_usize, 3 => 0..100_usize, 1 => 0..3_000_usize];
    // As many bytes as fill the largest queue.
    let packets = || (count(), length()).prop_map(|(count, length)| (count.min(600_000 / (length + 24)), length));
    let operation = prop_oneof![
        6 => packets().prop_map(|(count, length)| Operation::PushOrOverflow(count, length)),
        6 => packets().prop_map(|(count, length)| Operation::PushOrDrop(count, length)),
        3 => Just(Operation::Promote),
        4 => count().prop_map(Operation::Pop),
        4 => (count(), 0..300_usize).prop_map(|(count, most)| Operation::PopOrCopy(count, most)),
        4 => prop_oneof![count(), Just(usize::MAX)].prop_map(Operation::PopRuns),
        1 => Just(Operation::Release),
        2 => select(vec![OverflowPolicy::DropNewest, OverflowPolicy::DropOldest]).prop_map(Operation::SetPolicy),
        1 => any::<bool>().prop_map(Operation::SetLowMemory),
        2 => any::<bool>().prop_map(Operation::TellArrivals),
        1 => (0..400_000_usize).prop_map(Operation::Reset),
        2 => prop_oneof![0..2_000_usize, 0..200_000_usize].prop_map(Operation::SetSize),
        1 => Just(Operation::DiscardAll),
        1 => Just(Operation::Clear),
        2 => Just(Operation::ResetCounts),
        2 => Just(Operation::ResetSum),
        1 => (0..=MAX_EMPTY_READS).prop_map(Operation::EmptyReads),
    ];
    prop::collection::vec(operation, 1..40)
}

/// A queue and its model, which go through the same operations.
#[derive(Debug)]
struct Pair {
    queue: Queue,
    model: Model,
    /// The sum of all changes since that was last reset.
    sum: QueueCounts,
    /// Bytes of which payloads are sections.
    pattern: Vec<u8>,
    /// How many packets were pushed.
    pushed: usize,
    tells_arrivals: bool,
    /// The packets that were taken, and what their payloads have to be.
    taken: Vec<(Packet, Vec<u8>)>,
}

impl Pair {
    fn new() -> Self {
        let mut model = Model::default();
        model.reset(0);
        let pattern = (0..=250).cycle().take(251 + MAX_DATAGRAM).collect();
        let sum = QueueCounts::default();
        Self { queue: queue(0), model, sum, pattern, pushed: 0, tells_arrivals: false, taken: Vec::new() }
    }

    /// The next packet: none is like the one before.
    fn packet(&mut self, length: usize) -> (Entry, PacketMeta) {
        self.pushed += 1;
        let payload = self.pattern[self.pushed % 251..][..length].to_vec();
        let sender = sender(u16::try_from(self.pushed % 65_536).unwrap());
        // Some come at the same time, some seem to come earlier than the one before.
        let time = 1_000 + self.pushed as u64 * 3_333 % 10_000;
        // Some in a row arrive at the same place, some not; of some it is not known.
        let place = u32::try_from(self.pushed / 5 % 3 * (self.pushed % 2 + 1)).unwrap();
        let arrival = if self.tells_arrivals { ArrivalId::from_bits(place) } else { ArrivalId::NONE };
        let meta = PacketMeta::new(length, sender, time).with_arrival(arrival);
        (Entry { payload, sender, time, arrival, is_counted_before: false, is_summed_before: false }, meta)
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        let before = self.queue.full_tally();
        let applied = self.apply_uncounted(operation);
        if matches!(operation, Operation::ResetSum) {
            self.sum = QueueCounts::default();
        } else {
            self.sum.add_change(before, self.queue.full_tally());
        }
        applied
    }

    fn apply_uncounted(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match *operation {
            Operation::PushOrOverflow(count, length) => {
                for _ in 0..count {
                    let (entry, meta) = self.packet(length);
                    self.queue.push_or_overflow(&entry.payload, meta);
                    self.model.push_or_overflow(entry);
                }
            }
            Operation::PushOrDrop(count, length) => {
                for _ in 0..count {
                    let (entry, meta) = self.packet(length);
                    let before = self.queue.tally();
                    let sum_before = self.model.sum;
                    self.queue.push_or_drop(&entry.payload, meta);
                    self.model.push_or_drop(entry);
                    let mut change = QueueCounts::default();
                    change.add_change(before, self.queue.tally());
                    let mut expected = QueueCounts::default();
                    expected.add_change(sum_before, self.model.sum);
                    prop_assert_eq!(change, expected);
                }
            }
            Operation::Promote => {
                self.queue.promote();
                self.model.promote();
            }
            Operation::Pop(max) => {
                for _ in 0..max {
                    let popped = self.queue.pop();
                    prop_assert_eq!(popped.is_none(), self.model.available.is_empty());
                    let Some((packet, meta)) = popped else { break };
                    self.check_taken(packet, &[meta])?;
                }
            }
            Operation::PopOrCopy(max, most) => {
                let mut buffer = Vec::with_capacity(most);
                for _ in 0..max {
                    let popped = self.queue.pop_or_copy(&mut buffer);
                    prop_assert_eq!(popped.is_none(), self.model.available.is_empty());
                    let Some((packet, meta)) = popped else { break };
                    prop_assert_eq!(packet.is_none(), meta.length() <= buffer.capacity());
                    match packet {
                        Some(packet) => self.check_taken(packet, &[meta])?,
                        None => drop(self.check_bytes(&buffer, &[meta])?),
                    }
                }
            }
            Operation::PopRuns(max) => {
                let expected = max.min(self.model.available.len());
                let mut metas = Vec::new();
                loop {
                    let before = metas.len();
                    let Some(run) = self.queue.pop_run(max - before, &mut metas) else { break };
                    self.check_taken(run, &metas[before..])?;
                }
                prop_assert_eq!(metas.len(), expected);
            }
            Operation::Release => {
                for (packet, payload) in self.taken.drain(..) {
                    prop_assert!(*packet == *payload, "a packet has changed after it was taken");
                }
            }
            Operation::SetPolicy(policy) => {
                self.queue.set_policy(policy);
                self.model.policy = policy;
            }
            Operation::TellArrivals(tells) => self.tells_arrivals = tells,
            Operation::SetLowMemory(low_memory) => self.queue.set_low_memory(low_memory),
            Operation::Reset(recv_buf_size) => {
                self.queue.reset(recv_buf_size);
                self.model.reset(recv_buf_size);
            }
            Operation::SetSize(bytes) => {
                self.queue.set_size(bytes);
                self.model.set_size(bytes);
            }
            Operation::DiscardAll => {
                self.queue.discard_all();
                self.model.discard_all();
            }
            Operation::ResetSum => {
                self.queue.note_sum_reset();
                self.model.reset_sum();
            }
            Operation::Clear => {
                self.queue.clear();
                self.model.clear();
            }
            Operation::ResetCounts => {
                self.queue.reset_counts();
                self.model.reset_counts();
            }
            Operation::EmptyReads(times) => (0..times).for_each(|_| self.queue.note_empty_read()),
        }
        Ok(())
    }

    /// Compares packets that were taken back to back with the model's oldest ones.
    fn check_taken(&mut self, packet: Packet, metas: &[PacketMeta]) -> Result<(), TestCaseError> {
        let payload = self.check_bytes(&packet, metas)?;
        self.taken.push((packet, payload));
        Ok(())
    }

    /// Compares the bytes and metadata of packets that were taken with the model's oldest ones, which are taken; their bytes.
    fn check_bytes(&mut self, bytes: &[u8], metas: &[PacketMeta]) -> Result<Vec<u8>, TestCaseError> {
        prop_assert!(metas.len() <= self.model.available.len(), "more packets than the model has");
        let entries: Vec<_> = metas.iter().filter_map(|_| self.model.take()).collect();
        for (meta, entry) in metas.iter().zip(&entries) {
            prop_assert_eq!(
                (meta.length(), meta.sender(), meta.time_usec(), meta.arrival()),
                (entry.payload.len(), entry.sender, entry.time, entry.arrival)
            );
        }
        let payload = entries.iter().map(|entry| entry.payload.as_slice()).collect::<Vec<_>>().concat();
        prop_assert!(*bytes == *payload, "other bytes than the model's");
        Ok(payload)
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.queue.len(), self.model.available.len());
        prop_assert_eq!(self.queue.bound(), self.model.bound);
        prop_assert_eq!(self.queue.policy(), self.model.policy);
        prop_assert_eq!(*self.queue.counts(), self.model.counts);
        prop_assert_eq!(self.queue.total_counts(), self.model.total);
        prop_assert_eq!(self.sum, self.model.sum);
        let front = self.model.available.front().map(|entry| entry.time);
        prop_assert_eq!(self.queue.front_arrival(), front);
        let room = self.model.overflow.is_empty().then(|| self.model.bound.saturating_sub(self.model.used));
        prop_assert_eq!(self.queue.room(), room);
        Ok(())
    }
}

proptest! {
    // Cases: PROPTEST_CASES, or 256.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_its_model(operations in operations()) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.apply(operation)?;
            pair.check()?;
        }
        // Overflow too comes out in order.
        while pair.queue.room() != Some(pair.model.bound) {
            pair.apply(&Operation::Promote)?;
            pair.apply(&Operation::PopRuns(usize::MAX))?;
            pair.check()?;
        }
        pair.apply(&Operation::Release)?;
    }
}
