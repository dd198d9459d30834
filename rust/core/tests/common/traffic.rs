//! Streams of packets that are checked when they arrive, and the pace at which they are sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{Peer, WaitEnd};
use parking_lot::{Condvar, Mutex};

use super::{LONG, Pair, SetOnDrop, take};

/// Between two calls of what happens meanwhile.
const PAUSE: Duration = Duration::from_micros(200);

/// Keeps a sending thread at most so many packets ahead of the receiving ones, so that no buffer overflows.
pub struct Pace {
    ahead: usize,
    received: Mutex<usize>,
    changed: Condvar,
}

impl Pace {
    pub fn new(ahead: usize) -> Self {
        Self { ahead, received: Mutex::new(0), changed: Condvar::new() }
    }

    /// Counts packets as received.
    pub fn add(&self, packets: usize) {
        *self.received.lock() += packets;
        self.changed.notify_all();
    }

    pub fn received(&self) -> usize {
        *self.received.lock()
    }

    /// How many packets may be sent after the first `sent`: at least one. Blocks until there is room for it.
    pub fn await_room(&self, sent: usize) -> usize {
        let mut received = self.received.lock();
        let is_full = |received: &mut usize| sent >= *received + self.ahead;
        let result = self.changed.wait_while_for(&mut received, is_full, LONG);
        assert!(!result.timed_out(), "of {sent} packets, only {received} were received");
        *received + self.ahead - sent
    }
}

/// Calls `work` again and again until `is_done`.
pub fn repeat_until(is_done: &AtomicBool, work: impl Fn()) {
    while !is_done.load(Ordering::Relaxed) {
        work();
        thread::sleep(PAUSE);
    }
}

/// Datagram number `number`, of a size between 4 bytes and 4 KiB that follows from it, and content that does too.
pub fn numbered(number: usize) -> Vec<u8> {
    let length = 4 + number * 7_919 % if number.is_multiple_of(50) { 4_000 } else { 300 };
    let mut datagram = u32::try_from(number).unwrap().to_le_bytes().to_vec();
    datagram.resize(length, number.to_le_bytes()[0] ^ 0x5a);
    datagram
}

/// The number of a datagram, which is whole.
pub fn number_of(datagram: &[u8]) -> usize {
    let number = u32::from_le_bytes(datagram[..4].try_into().unwrap()) as usize;
    assert!(datagram == numbered(number), "number {number} has {} bytes", datagram.len());
    number
}

/// Takes what there is, in one of three ways; how many packets it was.
pub fn take_some(peer: &Peer, way: usize, mut check: impl FnMut(&[u8])) -> usize {
    let mut taken = 0;
    let mut one = |packet: &[u8]| {
        check(packet);
        taken += 1;
    };
    match way % 3 {
        0 => {
            for _ in 0..peer.available().unwrap() {
                one(&take(peer).unwrap());
            }
        }
        way => {
            let mut drain = peer.take_many((way == 1).then_some(7)).unwrap();
            while let Some(run) = drain.next() {
                run.packets().for_each(&mut one);
            }
        }
    }
    taken
}

/// Takes so many packets, waited for, in the way of [`take_some`].
pub fn take_exactly(pair: &Pair, count: usize, way: usize) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    loop {
        pair.poll();
        take_some(&pair.receiver, way, |packet| got.push(packet.to_vec()));
        if got.len() >= count {
            assert_eq!(got.len(), count);
            return got;
        }
        assert_eq!(pair.receiver.wait(Some(LONG)).unwrap(), WaitEnd::Ready, "{} of {count}", got.len());
    }
}

/// Sends `count` datagrams from a thread of its own, in batches of changing sizes. Returns when all have arrived, each once, whole
/// and in order; until then another thread repeats `meanwhile`.
pub fn stream(pair: &Pair, count: usize, meanwhile: Option<&(dyn Fn() + Sync)>) {
    // What the queue of an accepted peer holds, and the kernel's buffer otherwise, also where the receiving thread gets no processor
    // time for a while.
    let pace = Pace::new(100);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| {
            let mut sent = 0;
            while sent < count {
                let most = pace.await_room(sent).min(count - sent).min(1 + sent % 97);
                let batch: Vec<_> = (sent..sent + most).map(numbered).collect();
                let slices: Vec<_> = batch.iter().map(Vec::as_slice).collect();
                sent += pair.sender.send_many(&slices).unwrap();
            }
        });
        if let Some(meanwhile) = meanwhile {
            let done = &done;
            scope.spawn(move || repeat_until(done, meanwhile));
        }
        receive_stream(pair, count, &pace);
    });
    assert_eq!(pair.receiver.available(), Some(0));
}

fn receive_stream(pair: &Pair, count: usize, pace: &Pace) {
    let mut last_progress = Instant::now();
    let mut next = 0;
    let mut way = 0;
    while next < count {
        pair.poll();
        way += 1;
        let taken = take_some(&pair.receiver, way, |packet| {
            assert!(packet == numbered(next), "number {next} comes, of {} bytes", packet.len());
            next += 1;
        });
        pace.add(taken);
        if taken > 0 {
            last_progress = Instant::now();
        } else if way % 2 == 0 {
            let _ = pair.receiver.wait(Some(LONG)).unwrap();
        } else {
            thread::sleep(PAUSE);
        }
        let stats = pair.receiver.stats();
        assert!(last_progress.elapsed() < LONG, "only {next} of {count} have arrived: {stats:?}");
    }
}
