//! What happens when there is no memory: packets are dropped and counted, calls fail, and nothing ends the program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "an allocator is unsafe by nature")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[macro_use]
mod common;

use common::{Setup, eventually, port, take};
use packet_peer_udp_core::{OverflowPolicy, Peer};

/// The system's allocator, which refuses blocks above a size that a test sets for its thread.
struct Limited;

#[global_allocator]
static ALLOCATOR: Limited = Limited;

thread_local! {
    static LIMIT: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Limited {
    fn refuses(size: usize) -> bool {
        size > LIMIT.with(Cell::get)
    }
}

// SAFETY: passes everything on to the system's allocator, or returns null, which stands for a failure.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the promises of this function, which are those of the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }
}

/// Calls `run` while blocks of more than so many bytes are refused to this thread.
fn with_limit<T>(bytes: usize, run: impl FnOnce() -> T) -> T {
    struct Lifted;
    impl Drop for Lifted {
        fn drop(&mut self) {
            LIMIT.set(usize::MAX);
        }
    }
    LIMIT.set(bytes);
    let _lifted = Lifted;
    run()
}

for_setups!(a_packet_that_there_is_no_memory_for_is_dropped_and_counted: own_polled = Polled Own, accepted_polled = Polled Accepted);
fn a_packet_that_there_is_no_memory_for_is_dropped_and_counted(setup: Setup) {
    for policy in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let pair = setup.pair_with_buffer(1 << 20);
        pair.receiver.set_overflow_policy(policy);
        // Receiving needs memory of its own, which is kept.
        pair.sender.send(b"first").unwrap();
        assert_eq!(pair.next(), b"first");
        pair.sender.send(&vec![1; 60_000]).unwrap();
        pair.sender.send(b"second").unwrap();
        with_limit(40_000, || pair.await_available(1));
        assert_eq!(take(&pair.receiver).unwrap(), b"second");
        let stats = pair.receiver.stats();
        assert_eq!((stats.packets_received, stats.packets_dropped_queue), (2, 1), "{policy:?}");
        // A block of the preferred size is refused, but not one for the packet alone.
        for _ in 0..8 {
            pair.sender.send(&[2; 5_000]).unwrap();
        }
        with_limit(7_500, || pair.await_available(8));
        for _ in 0..8 {
            assert_eq!(take(&pair.receiver).unwrap(), [2; 5_000]);
        }
        pair.sender.send(&vec![3; 60_000]).unwrap();
        assert_eq!(pair.next(), vec![3; 60_000]);
        assert_eq!(pair.receiver.stats().packets_dropped_queue, 1);
    }
}

#[test]
fn packets_whose_metadata_there_is_no_memory_for_stay_queued() {
    const COUNT: usize = 1_500;
    let receiver = Peer::new();
    receiver.bind(0, "127.0.0.1", 1 << 20).unwrap();
    let sender = Peer::new();
    sender.set_destination("127.0.0.1", port(&receiver)).unwrap();
    for sent in 0..COUNT {
        sender.send(b"packet").unwrap();
        eventually("the packet is queued", || receiver.available() == Some(sent + 1));
    }
    let taken = |peer: &Peer| {
        let mut drain = peer.take_many(None).unwrap();
        let mut taken = 0;
        while let Some(run) = drain.next() {
            taken += run.metas.len();
        }
        taken
    };
    let before = with_limit(10_000, || taken(&receiver));
    assert!(before < COUNT);
    assert!(receiver.last_error().message.contains("memory"), "{:?}", receiver.last_error());
    assert_eq!(receiver.available(), Some(COUNT - before));
    assert_eq!(taken(&receiver), COUNT - before);
    assert_eq!(receiver.stats().packets_dropped_queue, 0);
}
