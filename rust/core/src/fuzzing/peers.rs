//! Peers over real sockets: any calls in any order.

use std::num::{NonZeroU8, NonZeroU16, NonZeroUsize};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::input::Input;
use super::world::{Run, address, eventually};
use crate::error::Reason;
use crate::link::conditions::SharedConditions;
use crate::queue::OverflowPolicy;
use crate::{Peer, SocketOption, Taken, WaitEnd};

const PEERS: usize = 3;

const MAX_OPERATIONS: usize = 100;

/// What a queued packet costs beside its length.
const OVERHEAD: u64 = 24;

/// A peer, and what was seen of it.
struct End {
    peer: Arc<Peer>,
    /// The number of its latest packet.
    sent: u32,
    /// Of each sender: the number of the packet that was taken last.
    last: [u32; PEERS],
    /// How many packets were taken, and their bytes.
    taken: u64,
    taken_bytes: u64,
    /// Whether packets may come twice.
    may_repeat: bool,
    /// The port that it was connected to last, while it is.
    connected_to: Option<NonZeroU16>,
}

impl End {
    fn new() -> Self {
        Self {
            peer: Peer::new(),
            sent: 0,
            last: [0; PEERS],
            taken: 0,
            taken_bytes: 0,
            may_repeat: false,
            connected_to: None,
        }
    }

    fn port(&self) -> Option<NonZeroU16> {
        NonZeroU16::new(self.peer.local_addr()?.port())
    }
}

/// Nothing panics or blocks. A packet comes as it was sent, in the order of its sender, once; a queue keeps its size; what is counted is what
/// was taken and what is queued. Whatever has happened before, a peer that is opened anew works.
pub fn peers(data: &[u8]) {
    let mut input = Input::new(data);
    let run = Run::new();
    let mut ends: [End; PEERS] = std::array::from_fn(|_| End::new());
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        let (at, other) = (input.below(PEERS), input.below(PEERS));
        operate(&mut input, &run, &mut ends, at, other);
        check(&mut ends[at]);
    }
    for at in 0..PEERS {
        still_works(&run, &mut ends, at, (at + 1) % PEERS);
    }
    for end in ends {
        end.peer.close();
        assert!(!end.peer.is_open() && end.peer.available().is_none() && end.peer.local_addr().is_none());
        assert_eq!(end.peer.stats().conditions.waiting, 0);
    }
}

#[expect(clippy::too_many_lines, reason = "an arm for each call")]
fn operate(input: &mut Input<'_>, run: &Run, ends: &mut [End; PEERS], at: usize, other: usize) {
    let port = ends[other].port();
    let host = address().to_string();
    let peer = Arc::clone(&ends[at].peer);
    match input.below(27) {
        0 | 1 => {
            let was_open = peer.is_open();
            let to = input.choice(&[host.as_str(), "*", "::1", "0.0.0.0", "127.0.0.1", "nowhere", ""]);
            let bound = peer.bind(0, to, input.choice(&[0, 65_536, 200_000]));
            assert!(!was_open || matches!(bound.as_ref().unwrap_err().reason, Reason::AlreadyOpen));
            assert_eq!(was_open || bound.is_ok(), peer.is_open());
        }
        2 => {
            peer.close();
            assert!(!peer.is_open() && !peer.is_connected());
        }
        3 => {
            if let Some(port) = port {
                let connected = peer.connect(&host, port);
                assert!(connected.is_err() || peer.is_connected());
                ends[at].connected_to = Some(port);
            }
        }
        4 | 5 => {
            if let Some(port) = port {
                let _ = peer.set_destination(&host, port.get());
            }
        }
        6 | 7 => {
            let payload = ends[at].next(run, at, length(input));
            let _ = peer.send(&payload);
        }
        8 => {
            let length = length(input) % 2_000;
            let payloads: Vec<_> = (0..input.below(40)).map(|_| ends[at].next(run, at, length)).collect();
            let all: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let sent = peer.send_many(&all);
            assert!(sent.is_ok_and(|sent| sent <= all.len()) || all.is_empty() || peer.last_error().message.len() > 1);
        }
        9 => {
            // Each segment is a packet, so each has a head of its own.
            let segment = super::world::HEAD + input.below(100);
            let data: Vec<u8> = (0..input.below(40)).flat_map(|_| ends[at].next(run, at, segment)).collect();
            let _ = peer.send_segmented(&data, NonZeroUsize::new(segment).unwrap());
        }
        10 => {
            if let Some(port) = port {
                let payload = ends[at].next(run, at, length(input));
                let _ = peer.send_to(&payload, &host, port.get());
            }
        }
        11 | 12 => {
            let packet = peer.take();
            assert_eq!(packet.is_err(), !peer.is_open());
            if let Ok(Some(packet)) = packet {
                ends[at].note(run, &packet);
            }
        }
        13 => {
            let mut buffer = Vec::with_capacity(64);
            if let Ok(Some(taken)) = peer.take_or_copy(&mut buffer) {
                match &taken {
                    Taken::Copied => ends[at].note(run, &buffer),
                    Taken::Shared(packet) => ends[at].note(run, packet),
                }
            }
        }
        14 => take_many(run, &mut ends[at], Some(input.below(70))),
        15 => take_many(run, &mut ends[at], None),
        16 => {
            let bytes = input.choice(&[0, 1, 100, 1_000, 70_000]);
            assert!(peer.set_queue_size(bytes).is_ok());
            assert_eq!(peer.queue_size(), bytes);
        }
        17 => peer.set_overflow_policy(input.choice(&[OverflowPolicy::DropNewest, OverflowPolicy::DropOldest])),
        18 => peer.set_background_receive(input.flag()).unwrap(),
        19 => {
            let end = peer.wait(Some(Duration::from_millis(u64::from(input.flag()))));
            assert_eq!(end.is_err(), !peer.is_open());
            if matches!(end, Ok(WaitEnd::Ready)) {
                assert_ne!(peer.available(), Some(0), "a wait tells of a packet that is not there");
            }
        }
        20 => peer.interrupt_wait(),
        21 => {
            let conditions = input.flag().then(|| SharedConditions::new(input.mild_conditions()));
            let repeats = conditions.as_ref().is_some_and(|conditions| conditions.get().duplicate > 0.0);
            for end in ends {
                end.may_repeat |= repeats;
            }
            if input.flag() { peer.set_send_conditions(conditions) } else { peer.set_receive_conditions(conditions) }
        }
        22 => {
            let conditions = if input.flag() { peer.send_conditions() } else { peer.receive_conditions() };
            let values = input.mild_conditions();
            if let Some(conditions) = conditions {
                conditions.change(|before| *before = values);
                for end in ends {
                    end.may_repeat |= values.duplicate > 0.0;
                }
            }
        }
        23 => {
            let _ = peer.set_option(match input.below(7) {
                0 => SocketOption::TimeToLive(NonZeroU8::new(input.byte())),
                1 => SocketOption::TrafficClass(input.byte()),
                2 => SocketOption::PacketInfo(input.flag()),
                3 => SocketOption::SourceAddress(if input.flag() { host } else { String::new() }),
                4 => SocketOption::MulticastLoopback(input.flag()),
                5 => SocketOption::MulticastInterface(if input.flag() { "lo".to_owned() } else { String::new() }),
                _ => SocketOption::MulticastTimeToLive(input.byte()),
            });
            peer.take_refusals();
        }
        24 => {
            let bytes = input.choice(&[0, 1, 5_000, 1 << 20]);
            let _ = if input.flag() { peer.set_receive_buffer_size(bytes) } else { peer.set_send_buffer_size(bytes) };
        }
        25 => peer.reset_stats(),
        _ => match input.below(4) {
            0 => thread::sleep(Duration::from_micros(300)),
            1 => thread::yield_now(),
            2 => drop(peer.take_pending_signal()),
            _ => {
                let (sent, last) = (ends[at].sent, ends[at].last);
                ends[at] = End { sent, last, may_repeat: ends[at].may_repeat, ..End::new() };
            }
        },
    }
}

fn length(input: &mut Input<'_>) -> usize {
    match input.below(8) {
        0 => usize::from(input.u16()),
        1 => usize::from(input.byte()) * 16,
        _ => input.below(40),
    }
}

impl End {
    fn next(&mut self, run: &Run, at: usize, length: usize) -> Vec<u8> {
        self.sent += 1;
        run.payload(u8::try_from(at).unwrap(), self.sent, length)
    }

    /// What was queued when the peer was closed is gone, and counts as received.
    fn note_closed(&mut self) {
        if !self.peer.is_connected() {
            self.connected_to = None;
        }
        if !self.peer.is_open() {
            let totals = self.peer.totals();
            assert!(totals.packets_in >= self.taken && totals.bytes_in >= self.taken_bytes);
            (self.taken, self.taken_bytes) = (totals.packets_in, totals.bytes_in);
        }
    }

    /// Takes note of a packet that was taken.
    fn note(&mut self, run: &Run, packet: &[u8]) {
        self.taken += 1;
        self.taken_bytes += packet.len() as u64;
        let meta = self.peer.last_taken();
        let port = meta.unwrap().sender().port();
        assert!(
            port > 0 && self.connected_to.is_none_or(|only| only.get() == port),
            "a packet of another sender comes"
        );
        let Some((sender, number)) = run.read(packet) else { return };
        let last = &mut self.last[usize::from(sender)];
        let is_next = if self.may_repeat { number >= *last } else { number > *last };
        assert!(is_next, "packet {number} of {sender} comes after {last}");
        *last = number;
    }
}

fn take_many(run: &Run, end: &mut End, max: Option<usize>) {
    let peer = Arc::clone(&end.peer);
    let Ok(mut drain) = peer.take_many(max) else {
        assert!(!peer.is_open());
        return;
    };
    let mut count = 0;
    while let Some(packets) = drain.next() {
        for packet in packets.packets() {
            count += 1;
            end.note(run, packet);
        }
    }
    assert!(!drain.lacks_memory());
    drop(drain);
    assert!(max.is_none_or(|max| count <= max));
    assert_eq!(peer.batch().len(), count);
}

/// What holds at any time.
fn check(end: &mut End) {
    end.note_closed();
    let peer = &end.peer;
    let is_open = peer.is_open();
    assert_eq!(is_open, peer.local_addr().is_some());
    assert_eq!(is_open, peer.available().is_some());
    // In the background more may come at any moment.
    if !peer.background_receive() {
        let available = peer.available().unwrap_or(0) as u64;
        let totals = peer.totals();
        assert_eq!(totals.packets_in, end.taken + available);
        let queued = totals.bytes_in - end.taken_bytes + available * OVERHEAD;
        assert!(available <= 1 || queued <= peer.queue_limit() as u64, "{queued} bytes are queued");
    } else if peer.overflow_policy() == OverflowPolicy::DropNewest {
        assert!(peer.totals().packets_in >= end.taken);
    }
}

/// Whatever has happened before: what is sent comes.
fn still_works(run: &Run, ends: &mut [End; PEERS], from: usize, to: usize) {
    for end in &*ends {
        end.peer.set_send_conditions(None);
        end.peer.set_receive_conditions(None);
    }
    let receiver = Arc::clone(&ends[to].peer);
    receiver.close();
    ends[to].note_closed();
    receiver.set_queue_size(0).unwrap();
    receiver.set_receive_buffer_size(0).unwrap();
    receiver.set_option(SocketOption::SourceAddress(String::new())).unwrap();
    receiver.bind(0, &address().to_string(), 0).unwrap();
    let sender = Arc::clone(&ends[from].peer);
    sender.close();
    ends[from].note_closed();
    sender.set_send_buffer_size(0).unwrap();
    sender.set_option(SocketOption::SourceAddress(String::new())).unwrap();
    sender.connect(&address().to_string(), ends[to].port().unwrap()).unwrap();
    ends[from].connected_to = ends[to].port();
    let before = ends[to].taken;
    for _ in 0..3 {
        let payload = ends[from].next(run, from, 20);
        sender.send(&payload).unwrap();
    }
    let expected = ends[from].sent;
    eventually(
        || format!("three packets come, of which {} have: {:?}", ends[to].taken - before, receiver.stats()),
        || {
            // Ended by a packet, or by an interruption from before.
            receiver.wait(Some(Duration::from_millis(1))).unwrap();
            receiver.available().unwrap() >= 3
        },
    );
    take_many(run, &mut ends[to], None);
    assert_eq!(ends[to].last[from], expected);
    assert!(ends[to].taken - before >= 3);
}
