//! The counts of a server compared with a simple model, in random sequences of operations: every packet is counted once, on the
//! side of a reset on which it came or was dropped.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::queue::OverflowPolicy;

/// Of each packet, which costs a hundred bytes in a queue.
const LENGTH: usize = 76;

/// What the model knows of a peer.
#[derive(Debug)]
struct ModelPeer {
    is_pending: bool,
    policy: OverflowPolicy,
    /// Of each queued packet: whether it came before the server's counts were reset.
    queued: VecDeque<bool>,
    /// What its own counts are.
    own: QueueCounts,
    /// Of each queued packet: whether it came before its own counts were reset.
    queued_for_own: VecDeque<bool>,
}

#[derive(Debug, Default)]
struct Model {
    peers: HashMap<u16, ModelPeer>,
    pending: VecDeque<u16>,
    max_pending: usize,
    let_in: usize,
    capacity: usize,
    sum: QueueCounts,
    dropped: u64,
}

impl Model {
    fn deliver(&mut self, from: u16) {
        if !self.peers.contains_key(&from) {
            if self.pending.len() >= self.max_pending || self.let_in >= self.max_pending {
                self.dropped += 1;
                return;
            }
            self.let_in += 1;
            self.pending.push_back(from);
            let peer = ModelPeer {
                is_pending: true,
                policy: OverflowPolicy::default(),
                queued: VecDeque::new(),
                own: QueueCounts::default(),
                queued_for_own: VecDeque::new(),
            };
            self.peers.insert(from, peer);
        }
        let capacity = self.capacity;
        let peer = self.peers.get_mut(&from).unwrap();
        if peer.queued.len() >= capacity && peer.policy == OverflowPolicy::DropNewest {
            self.sum.dropped += 1;
            peer.own.dropped += 1;
            return;
        }
        peer.queued.push_back(false);
        peer.queued_for_own.push_back(false);
        self.sum.add(LENGTH);
        peer.own.add(LENGTH);
        self.shrink(from);
    }

    /// Drops what exceeds the capacity.
    fn shrink(&mut self, from: u16) {
        let peer = self.peers.get_mut(&from).unwrap();
        while peer.queued.len() > self.capacity {
            let (is_old, is_old_for_own) = match peer.policy {
                OverflowPolicy::DropOldest => (peer.queued.pop_front(), peer.queued_for_own.pop_front()),
                OverflowPolicy::DropNewest => (peer.queued.pop_back(), peer.queued_for_own.pop_back()),
            };
            for (counts, is_old) in [(&mut self.sum, is_old), (&mut peer.own, is_old_for_own)] {
                counts.dropped += 1;
                if is_old == Some(false) {
                    counts.packets -= 1;
                    counts.bytes -= LENGTH as u64;
                }
            }
        }
    }

    fn set_max_pending(&mut self, max: usize) {
        self.max_pending = max;
        while self.pending.len() > max {
            let peer = self.pending.pop_back().and_then(|from| self.peers.remove(&from)).unwrap();
            for is_old in peer.queued {
                self.dropped += 1;
                if !is_old {
                    self.sum.packets -= 1;
                    self.sum.bytes -= LENGTH as u64;
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Operation {
    /// One batch of packets, each from one of these.
    Deliver(Vec<u16>),
    Poll,
    Accept,
    Take(u16, usize),
    SetPolicy(u16, bool),
    /// The peer's inbox is closed, and a packet comes before it is removed.
    Close(u16),
    SetMaxPending(usize),
    /// Room for so many packets.
    SetQueueSize(usize),
    Reset,
    ResetPeer(u16),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let from = || 1..8_u16;
    let operation = prop_oneof![
        8 => prop::collection::vec(from(), 1..16).prop_map(Operation::Deliver),
        2 => Just(Operation::Poll),
        4 => Just(Operation::Accept),
        4 => (from(), 0..5_usize).prop_map(|(from, count)| Operation::Take(from, count)),
        2 => (from(), any::<bool>()).prop_map(|(from, oldest)| Operation::SetPolicy(from, oldest)),
        1 => from().prop_map(Operation::Close),
        1 => (0..5_usize).prop_map(Operation::SetMaxPending),
        1 => (1..10_usize).prop_map(Operation::SetQueueSize),
        2 => Just(Operation::Reset),
        2 => from().prop_map(Operation::ResetPeer),
    ];
    prop::collection::vec(operation, 1..60)
}

/// A table and its model, which go through the same operations.
#[derive(Debug)]
struct Pair {
    table: PeerTable,
    /// The accepted peers.
    accepted: HashMap<u16, Accepted>,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        let table = table(3);
        table.lock().set_queue_size(500);
        let model = Model { max_pending: 3, capacity: 5, ..Model::default() };
        Self { table, accepted: HashMap::new(), model }
    }

    fn deliver(&self, from: &[u16]) {
        let bytes = [0; LENGTH];
        let received = |from: &u16| {
            let sender = SocketAddr::from(([127, 0, 0, 1], *from));
            Received { bytes: &bytes, meta: PacketMeta::new(LENGTH, sender, 0), slot: 0 }
        };
        self.table.deliver(&Batch { messages: from.iter().map(received).collect(), in_background: false });
    }

    fn apply(&mut self, operation: &Operation) {
        let Self { table, accepted, model } = self;
        match operation {
            Operation::Deliver(from) => {
                self.deliver(from);
                for from in from {
                    self.model.deliver(*from);
                }
            }
            Operation::Poll => {
                table.lock().note_poll(false);
                model.let_in = 0;
            }
            Operation::Accept => {
                let one = table.lock().accept(0);
                let expected = model.pending.pop_front();
                assert_eq!(one.as_ref().map(|one| one.remote), expected.map(remote));
                if let (Some(one), Some(from)) = (one, expected) {
                    model.peers.get_mut(&from).unwrap().is_pending = false;
                    accepted.insert(from, one);
                }
            }
            Operation::Take(from, count) => {
                let Some(one) = accepted.get(from) else { return };
                let peer = model.peers.get_mut(from).unwrap();
                for _ in 0..*count {
                    let taken = one.inbox.lock().take().is_some();
                    assert_eq!(taken, peer.queued.pop_front().is_some());
                    peer.queued_for_own.pop_front();
                }
            }
            Operation::SetPolicy(from, oldest) => {
                let Some(one) = accepted.get(from) else { return };
                let policy = if *oldest { OverflowPolicy::DropOldest } else { OverflowPolicy::DropNewest };
                one.inbox.lock().queue.set_policy(policy);
                model.peers.get_mut(from).unwrap().policy = policy;
            }
            Operation::Close(from) => {
                let Some(one) = accepted.remove(from) else { return };
                one.inbox.close();
                let before = *one.inbox.lock().queue.counts();
                self.deliver(&[*from, *from]);
                let counts = *one.inbox.lock().queue.counts();
                assert_eq!((counts.packets, counts.dropped), (before.packets, before.dropped + 2));
                self.table.remove(&one.remote, one.id);
                self.model.peers.remove(from);
                self.model.sum.dropped += 2;
            }
            Operation::SetMaxPending(max) => {
                table.set_max_pending(*max);
                model.set_max_pending(*max);
            }
            Operation::SetQueueSize(packets) => {
                table.lock().set_queue_size(packets * 100);
                model.capacity = *packets;
                let all: Vec<_> = model.peers.keys().copied().collect();
                for from in all {
                    model.shrink(from);
                }
            }
            Operation::Reset => {
                table.lock().reset_counts();
                (model.sum, model.dropped) = (QueueCounts::default(), 0);
                model.peers.values_mut().for_each(|peer| peer.queued.iter_mut().for_each(|is_old| *is_old = true));
            }
            Operation::ResetPeer(from) => {
                let Some(one) = accepted.get(from) else { return };
                one.inbox.lock().queue.reset_counts();
                let peer = model.peers.get_mut(from).unwrap();
                peer.own = QueueCounts::default();
                peer.queued_for_own.iter_mut().for_each(|is_old| *is_old = true);
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let entries = self.table.lock();
        prop_assert_eq!(entries.counts(), self.model.sum);
        prop_assert_eq!(entries.dropped_since_reset(), self.model.dropped);
        for (from, one) in &self.accepted {
            prop_assert_eq!(*one.inbox.lock().queue.counts(), self.model.peers[from].own);
        }
        prop_assert_eq!(entries.pending.len(), self.model.peers.values().filter(|peer| peer.is_pending).count());
        Ok(())
    }
}

proptest! {
    // Cases: PROPTEST_CASES, or 256.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_is_counted_once(operations in operations()) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.apply(operation);
            pair.check()?;
        }
    }
}
