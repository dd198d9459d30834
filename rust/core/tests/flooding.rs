//! More packets than anything takes. In a test binary of its own: the kernel's backlog for loopback is shared, and a full one loses
//! packets of other tests too. So the tests take turns as well.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[macro_use]
mod common;

use common::{LONG, SetOnDrop, Setup, eventually, size, take};
use packet_peer_udp_core::{Peer, WaitEnd};
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

/// Sends 64 packets of `segment` bytes at a time until `is_done`. Errors are ignored: a full send buffer is part of a flood.
fn flood(sender: &Peer, segment: usize, is_done: &AtomicBool) {
    let data = vec![0; 64 * segment];
    while !is_done.load(Ordering::Relaxed) {
        let _ = sender.send_segmented(&data, size(segment));
    }
}

for_every_peer!(a_flood_fills_the_queue_and_no_more);
fn a_flood_fills_the_queue_and_no_more(setup: Setup) {
    let _turn = TURNS.lock();
    let pair = setup.pair();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| flood(&pair.sender, 8, &done));
        for _ in 0..50 {
            pair.poll();
            let queued = pair.receiver.available().unwrap();
            // The queue's bound, without the payloads.
            assert!(queued <= 131_071 / 24, "{queued}");
            for _ in 0..queued {
                take(&pair.receiver).unwrap();
            }
        }
    });
}

for_background_peers!(a_flood_on_one_peer_neither_starves_another_nor_exceeds_its_queue);
fn a_flood_on_one_peer_neither_starves_another_nor_exceeds_its_queue(setup: Setup) {
    let _turn = TURNS.lock();
    let flooded = setup.pair_with_buffer(1 << 20);
    let quiet = setup.pair();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| flood(&flooded.sender, 100, &done));
        eventually("the queue drops packets", || flooded.receiver.stats().packets_dropped_queue > 10_000);
        for _ in 0..50 {
            let deadline = Instant::now() + LONG;
            // The kernel may drop the packet because of the flood, so it is sent again.
            loop {
                quiet.sender.send(b"x").unwrap();
                if quiet.receiver.wait(Some(Duration::from_secs(1))).unwrap() == WaitEnd::Ready {
                    break;
                }
                assert!(Instant::now() < deadline, "the other peer starves");
            }
            while let Some(packet) = take(&quiet.receiver) {
                assert_eq!(packet, b"x");
            }
        }
        // The queue's bound: 2 MiB, of which a packet takes 124 bytes.
        assert!(flooded.receiver.available().unwrap() * 124 < 2 << 20);
    });
}
