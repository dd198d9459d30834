//! The queue compared with a simple model of it, in random sequences of operations.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What a queue does, written as simply as possible.
#[derive(Debug, Default)]
struct Model {
    available: VecDeque<Entry>,
    /// What the available packets cost.
    used: usize,
    overflow: VecDeque<Entry>,
    bound: usize,
    policy: OverflowPolicy,
    counts: QueueCounts,
    total: QueueCounts,
}

/// Payload, sender, time of arrival; and whether the counts were reset after it was counted.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    payload: Vec<u8>,
    sender: SocketAddr,
    time: u64,
    is_counted_before: bool,
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
        self.bound = ring - 1;
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
            for counts in [&mut self.counts, &mut self.total] {
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
            self.total.packets -= 1;
            self.total.bytes -= oldest.payload.len() as u64;
            self.total.dropped += 1;
            self.counts.dropped += 1;
            if !oldest.is_counted_before {
                self.counts.packets -= 1;
                self.counts.bytes -= oldest.payload.len() as u64;
            }
            self.promote();
        }
        if self.overflow.is_empty() && self.fits(&entry) {
            self.push_or_overflow(entry);
        } else {
            self.counts.dropped += 1;
            self.total.dropped += 1;
        }
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
    Reset(usize),
    Clear,
    ResetCounts,
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
        1 => (0..400_000_usize).prop_map(Operation::Reset),
        1 => Just(Operation::Clear),
        2 => Just(Operation::ResetCounts),
        1 => (0..=MAX_EMPTY_READS).prop_map(Operation::EmptyReads),
    ];
    prop::collection::vec(operation, 1..40)
}

/// A queue and its model, which go through the same operations.
#[derive(Debug)]
struct Pair {
    queue: Queue,
    model: Model,
    /// Bytes of which payloads are sections.
    pattern: Vec<u8>,
    /// How many packets were pushed.
    pushed: usize,
    /// The packets that were taken, and what their payloads have to be.
    taken: Vec<(Packet, Vec<u8>)>,
}

impl Pair {
    fn new() -> Self {
        let mut model = Model::default();
        model.reset(0);
        let pattern = (0..=250).cycle().take(251 + MAX_DATAGRAM).collect();
        Self { queue: queue(0), model, pattern, pushed: 0, taken: Vec::new() }
    }

    /// The next packet: none is like the one before.
    fn packet(&mut self, length: usize) -> (Entry, PacketMeta) {
        self.pushed += 1;
        let payload = self.pattern[self.pushed % 251..][..length].to_vec();
        let sender = sender(u16::try_from(self.pushed % 65_536).unwrap());
        // Some come at the same time, some seem to come earlier than the one before.
        let time = 1_000 + self.pushed as u64 * 3_333 % 10_000;
        (Entry { payload, sender, time, is_counted_before: false }, PacketMeta::new(length, sender, time))
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
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
                    let total_before = self.model.total;
                    self.queue.push_or_drop(&entry.payload, meta);
                    self.model.push_or_drop(entry);
                    let mut change = QueueCounts::default();
                    change.add_change(before, self.queue.tally());
                    let mut expected = QueueCounts::default();
                    expected.add_change(total_before, self.model.total);
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
            Operation::SetLowMemory(low_memory) => self.queue.set_low_memory(low_memory),
            Operation::Reset(recv_buf_size) => {
                self.queue.reset(recv_buf_size);
                self.model.reset(recv_buf_size);
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
                (meta.length(), meta.sender(), meta.time_usec()),
                (entry.payload.len(), entry.sender, entry.time)
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
