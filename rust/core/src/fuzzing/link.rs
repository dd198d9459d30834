//! Link conditions: a lane with a clock of its own, and the decorator of a sink with a clock that jumps. Without sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use super::input::{Input, keep_order};
use crate::clock::{self, shift};
use crate::inbox::Inbox;
use crate::link::conditions::{Conditions, SharedConditions};
use crate::link::counts::LinkCounts;
use crate::link::draws::{Direction, LineId};
use crate::link::incoming::{Conditioned, OneLane};
use crate::link::lane::{DEFAULT_LIMIT, Entered, Lane, OVERHEAD, SharedLimit};
use crate::link::store::{Held, Store};
use crate::queue::PacketMeta;
use crate::sink::{Batch, Received, Sink};
use crate::sys;

const LINE: LineId = LineId { direction: Direction::Out, number: 0 };

/// A longer input takes long and finds nothing more.
const MAX_OPERATIONS: usize = 300;

/// Every packet is accounted for, those that no condition reorders keep their order, and memory is bounded: whatever the conditions are, when
/// they are changed, and how the clock goes.
pub fn link(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(2) {
        0 => lanes(&mut input),
        _ => decorator(&mut input),
    }
}

/// A lane with its store, as `Outgoing` uses it.
struct Rig {
    lane: Lane,
    store: Store<u32>,
    conditions: Arc<SharedConditions>,
    counts: Arc<LinkCounts>,
    of_all: Arc<SharedLimit>,
    limit: usize,
    now: u64,
    came: u64,
    out: u64,
    /// Whether no condition so far has changed the order.
    is_ordered: bool,
    may_corrupt: bool,
    /// The number of the packet that has come out last.
    last: u32,
}

fn lanes(input: &mut Input<'_>) {
    let conditions = SharedConditions::new(input.conditions());
    let counts = Arc::<LinkCounts>::default();
    let shared = input.choice(&[usize::MAX, 2_000, 100_000]);
    let of_all = SharedLimit::new(shared);
    let lane = Lane::new(Arc::clone(&conditions), LINE, Arc::clone(&counts)).sharing(Arc::clone(&of_all));
    let mut rig = Rig {
        lane,
        store: Store::default(),
        conditions,
        counts,
        of_all,
        limit: DEFAULT_LIMIT,
        now: 1 << 50,
        came: 0,
        out: 0,
        is_ordered: true,
        may_corrupt: false,
        last: 0,
    };
    rig.note(&rig.conditions.get());
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        rig.operate(input, shared);
        let stats = rig.counts.stats();
        assert_eq!(rig.came + stats.duplicated, rig.out + stats.lost + stats.dropped + stats.waiting);
        assert_eq!((stats.waiting == 0, rig.lane.held() == 0), (rig.store.is_empty(), rig.lane.is_empty()));
        assert_eq!(rig.lane.held(), rig.of_all.held());
        assert!(rig.of_all.held() <= shared);
    }
    while let Some(packet) = rig.store.take_next() {
        rig.lane.drop_held(&packet);
    }
    let stats = rig.counts.stats();
    assert_eq!(rig.came + stats.duplicated, rig.out + stats.lost + stats.dropped);
    assert_eq!((rig.lane.held(), rig.of_all.held(), stats.waiting), (0, 0, 0));
}

impl Rig {
    fn note(&mut self, conditions: &Conditions) {
        self.is_ordered &= keep_order(conditions);
        self.may_corrupt |= conditions.corrupt > 0.0;
    }

    fn operate(&mut self, input: &mut Input<'_>, shared: usize) {
        match input.below(14) {
            0..=3 => {
                let length = usize::from(input.byte()) * input.choice(&[1, 1, 1, 5, 256]);
                self.enter(length, shared);
            }
            4 | 5 => self.now += u64::from(input.u16()) * input.choice(&[100, 100_000]),
            // The clock jumps.
            6 => {
                let far = input.u64() >> input.below(64);
                self.now = if input.flag() {
                    self.now.saturating_sub(far)
                } else {
                    self.now.saturating_add(far).min(u64::MAX / 2)
                };
            }
            7 => {
                let conditions = input.conditions();
                self.note(&conditions);
                self.conditions.change(|values| *values = conditions);
            }
            8 => {
                let conditions = input.conditions();
                self.note(&conditions);
                self.conditions = SharedConditions::new(conditions);
                self.lane.set_conditions(Arc::clone(&self.conditions));
            }
            9 => {
                self.lane.end(self.now);
                self.store.expedite(self.now, |_| true);
                assert!(self.lane.has_ended());
            }
            10 => self.lane.restart(),
            11 => {
                let bytes = input.choice(&[0, 1, 500, 5_000, 100_000]);
                self.limit = if bytes == 0 { DEFAULT_LIMIT } else { bytes };
                self.lane.set_limit(bytes);
            }
            12 => self.take(input),
            _ => {
                while let Some(packet) = self.store.take_due(self.now) {
                    self.leave(packet);
                }
                assert!(self.store.next_due().is_none_or(|due| due > self.now));
            }
        }
    }

    fn enter(&mut self, length: usize, shared: usize) {
        let number = u32::try_from(self.came).unwrap() + 1;
        let (before, waiting) = (self.lane.held(), self.counts.stats().waiting);
        let is_clear = self.lane.is_clear();
        let entered = self.lane.enter(&mut self.store, &content(number, length), &number, self.now);
        self.came += 1;
        if entered == Entered::Passes {
            assert!(self.store.is_empty(), "it overtakes what is held");
            assert_eq!(self.lane.held(), before);
            self.note_out(number);
        }
        assert!(!is_clear || entered == Entered::Passes);
        let held = self.lane.held();
        // An empty lane takes any packet.
        let most = self.limit.max(length + OVERHEAD);
        assert!(held <= before || held <= most, "{held} of {most} bytes");
        assert!(held <= shared);
        let added = self.counts.stats().waiting - waiting;
        assert!(added <= 2 && usize::try_from(added).unwrap() * (length + OVERHEAD) == held - before);
    }

    /// Takes what is due, and puts some of it back, as where the kernel has no room.
    fn take(&mut self, input: &mut Input<'_>) {
        let (most, sent) = (input.below(9), input.below(9));
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(packet) = self.store.take_due(self.now)
        {
            if self.lane.leave(&packet) {
                taken.push(packet);
            } else {
                self.store.recycle(packet.bytes);
            }
        }
        for (index, packet) in taken.into_iter().enumerate() {
            if index < sent {
                self.came_out(packet);
            } else {
                self.lane.put_back(&mut self.store, packet);
            }
        }
    }

    fn leave(&mut self, packet: Held<u32>) {
        assert!(packet.due <= self.now);
        if self.lane.leave(&packet) {
            self.came_out(packet);
        } else {
            self.store.recycle(packet.bytes);
        }
    }

    fn came_out(&mut self, packet: Held<u32>) {
        self.note_out(packet.tag);
        let expected = content(packet.tag, packet.bytes.len());
        let flipped: u32 = packet.bytes.iter().zip(&expected).map(|(one, other)| (one ^ other).count_ones()).sum();
        assert!(flipped <= u32::from(self.may_corrupt), "{flipped} bits are flipped");
        self.store.recycle(packet.bytes);
    }

    fn note_out(&mut self, number: u32) {
        self.out += 1;
        assert!(!self.is_ordered || number >= self.last, "packet {number} comes out after {}", self.last);
        self.last = number;
    }
}

/// A payload that belongs to the packet of that number.
fn content(number: u32, length: usize) -> Vec<u8> {
    (0..length).map(|at| (number as usize + at).to_le_bytes()[0]).collect()
}

/// What a peer receives, with link conditions.
fn decorator(input: &mut Input<'_>) {
    let mut ahead: i64 = 1 << 50;
    shift::set(ahead);
    let inbox = Arc::<Inbox>::default();
    inbox.open(1 << 24, 0);
    let counts = Arc::<LinkCounts>::default();
    let conditioned = Conditioned::new(Arc::clone(&inbox), OneLane::default());
    let sender = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut conditions = SharedConditions::new(Conditions::default());
    let (mut number, mut last) = (0_u32, 0_u32);
    let mut is_ordered = true;
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        let in_background = input.flag();
        match input.below(10) {
            0..=2 => {
                let mut bytes = Vec::new();
                let mut messages: Vec<(usize, usize, u64)> = Vec::new();
                for _ in 0..=input.below(sys::SLOTS) {
                    let now = clock::now_nsec() / 1_000;
                    // When the kernel says that it has received it.
                    let time = match input.below(8) {
                        0 => input.u64(),
                        1 => now.saturating_sub(u64::from(input.u16()) * 100),
                        2 => now + u64::from(input.u16()) * 100,
                        _ => now,
                    };
                    let count = input.below(4) + 1;
                    messages.push((bytes.len(), count, time));
                    for _ in 0..count {
                        number += 1;
                        bytes.extend(number.to_le_bytes());
                    }
                }
                let received = messages.iter().enumerate().map(|(slot, (start, count, time))| Received {
                    bytes: &bytes[*start..start + count * 4],
                    meta: PacketMeta::new(4, sender, *time),
                    slot,
                });
                let batch = Batch { messages: received.collect(), in_background };
                conditioned.deliver(&batch);
            }
            3 => ahead = ahead.saturating_add(i64::from(input.u16()) * 1_000_000).min(i64::MAX / 2),
            4 => {
                let far = (input.u64() >> (1 + input.below(63))).cast_signed();
                ahead = if input.flag() { (ahead - far).max(0) } else { ahead.saturating_add(far).min(i64::MAX / 2) };
            }
            5 => {
                conditioned.release(in_background);
            }
            6 => {
                let values = input.conditions();
                is_ordered &= keep_order(&values);
                conditions = SharedConditions::new(values);
                conditioned.change(|lanes, store| lanes.set(store, Some(Arc::clone(&conditions)), &counts));
            }
            7 => {
                let values = input.conditions();
                is_ordered &= keep_order(&values);
                conditions.change(|before| *before = values);
            }
            8 => conditioned.change(|lanes, store| lanes.set(store, None, &counts)),
            _ => match input.below(3) {
                0 => conditioned.discard(),
                1 => conditioned.change(|lanes, _| lanes.set_limit(input.choice(&[0, 1, 500, 5_000]))),
                _ => drop(conditioned.demand()),
            },
        }
        shift::set(ahead);
        let stats = counts.stats();
        while let Some(packet) = inbox.lock().take() {
            let came = u32::from_le_bytes(packet[..].try_into().unwrap());
            assert!(!is_ordered || stats.corrupted > 0 || came >= last, "packet {came} comes after {last}");
            last = came;
        }
        let out = inbox.lock().queue.counts().packets;
        assert_eq!(u64::from(number) + stats.duplicated, out + stats.lost + stats.dropped + stats.waiting);
        assert!(stats.waiting == 0 || conditioned.is_active());
    }
    // Whatever they were, all come out when there are no conditions any more.
    conditioned.change(|lanes, store| lanes.set(store, None, &counts));
    while conditioned.demand().is_due {
        conditioned.release(true);
    }
    let stats = counts.stats();
    let out = inbox.lock().queue.counts().packets;
    assert_eq!(u64::from(number) + stats.duplicated, out + stats.lost + stats.dropped);
    assert!(stats.waiting == 0 && !conditioned.is_active());
    shift::set(0);
}
