//! The receive engine: batches, the background thread, and what a full queue does. Each runs polled and in the background
//! where that makes a difference; `PACKET_PEER_UDP_RS_PATH` says how datagrams pass to and from the kernel.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod common;

use common::{LONG, V4, bound, eventually, flavours, next, nonzero, pair, port, sender_to, size, take, waiting};
use packet_peer_udp_core::{
    IO_MODE_VARIABLE, IoMode, Operation, OverflowPolicy, Peer, Reason, WaitEnd, background_threads, clock_nsec,
    io_mode_limit, take_pending_signals,
};
use parking_lot::Mutex;

/// There is one background thread per process: tests that look for it, or tell its news, take turns.
static ALONE: Mutex<()> = Mutex::new(());

/// Enough to go round everything many times. (Windows' tests run under wine, which takes its time.)
const MANY: u32 = if cfg!(windows) { 5_000 } else { 100_000 };

const MODES: [bool; 2] = [false, true];

/// Datagram number `number`, of a size between 0 and 4 KiB that follows from it, and content that does too.
fn numbered(number: u32) -> Vec<u8> {
    let length = 4 + number as usize * 7_919 % if number.is_multiple_of(50) { 4_000 } else { 300 };
    let mut datagram = number.to_le_bytes().to_vec();
    datagram.resize(length, number.to_le_bytes()[0] ^ 0x5a);
    datagram
}

/// Takes what there is, by one of the three ways, and says how much it was.
fn take_some(peer: &Peer, way: usize, mut check: impl FnMut(&[u8])) -> usize {
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
            let mut taking = peer.take_many((way == 1).then_some(7)).unwrap();
            while let Some(run) = taking.next() {
                run.packets().for_each(&mut one);
            }
        }
    }
    taken
}

/// Sends `count` datagrams from a thread of its own, no more than 200 ahead of what was received, in batches of changing
/// sizes; `meanwhile` runs until all have arrived, each once, whole and in order.
fn stream(peer: &Peer, count: u32, meanwhile: impl Fn() + Sync) {
    const AHEAD: u32 = 200;
    let sender = sender_to(peer, "127.0.0.1");
    let got = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut sent = 0;
            while sent < count && !done.load(Ordering::Relaxed) {
                let room = (got.load(Ordering::Relaxed) as u32 + AHEAD).min(count) - sent;
                let batch: Vec<_> = (sent..sent + room.min(1 + sent % 97)).map(numbered).collect();
                let slices: Vec<_> = batch.iter().map(Vec::as_slice).collect();
                sent += sender.send_many(&slices).unwrap() as u32;
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                meanwhile();
            }
        });
        let deadline = Instant::now() + 6 * LONG;
        let mut next = 0;
        let mut way = 0;
        while next < count {
            way += 1;
            take_some(peer, way, |packet| {
                assert_eq!(packet, numbered(next), "number {next}");
                next += 1;
            });
            got.store(next as usize, Ordering::Relaxed);
            if Instant::now() > deadline {
                done.store(true, Ordering::Relaxed);
                panic!("only {next} of {count} have arrived: {:?}", peer.stats());
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(peer.available(), Some(0));
}

fn receiver(in_background: bool) -> Arc<Peer> {
    let peer = Peer::new();
    peer.bind(0, "127.0.0.1", 1 << 20).unwrap();
    peer.set_background_receive(in_background).unwrap();
    peer
}

#[test]
fn the_path_is_one_that_exists() {
    assert!(io_mode_limit().is_ok(), "{IO_MODE_VARIABLE} is {:?}", io_mode_limit());
}

#[test]
fn all_arrive_whole_and_in_order() {
    let _alone = ALONE.lock();
    for in_background in MODES {
        stream(&receiver(in_background), MANY, thread::yield_now);
    }
}

#[test]
fn going_to_the_background_and_back_under_traffic_loses_and_reorders_nothing() {
    let _alone = ALONE.lock();
    let peer = receiver(false);
    let on = AtomicBool::new(false);
    let switches = AtomicUsize::new(0);
    stream(&peer, MANY, || {
        peer.set_background_receive(!on.fetch_xor(true, Ordering::Relaxed)).unwrap();
        switches.fetch_add(1, Ordering::Relaxed);
        thread::yield_now();
    });
    assert!(switches.load(Ordering::Relaxed) > 10);
}

#[test]
fn stamps_match_each_packet_with_several_senders_of_both_families() {
    let _alone = ALONE.lock();
    for in_background in MODES {
        for flavour in flavours() {
            let receiver = Peer::new();
            receiver.bind(0, flavour.bind, 0).unwrap();
            receiver.set_background_receive(in_background).unwrap();
            let senders: Vec<_> = (0..5).map(|_| sender_to(&receiver, flavour.reach)).collect();
            let mut expected = Vec::new();
            for round in 0..40_usize {
                let sender = &senders[round * 3 % 5];
                let length = round * 37 % 500;
                let batch = vec![vec![round.to_le_bytes()[0]; length]; 1 + round % 3];
                let slices: Vec<_> = batch.iter().map(Vec::as_slice).collect();
                assert_eq!(sender.send_many(&slices).unwrap(), slices.len());
                expected.extend(slices.iter().map(|_| (port(sender), length)));
            }
            eventually("all are there", || receiver.available() == Some(expected.len()));
            let mut got = Vec::new();
            for _ in 0..2 {
                let half = Some(expected.len().div_ceil(2));
                let mut taking = receiver.take_many(half).unwrap();
                let mut lengths = Vec::new();
                while let Some(run) = taking.next() {
                    assert_eq!(run.bytes.len(), run.metas.iter().map(packet_peer_udp_core::PacketMeta::length).sum());
                    lengths.extend(run.packets().map(<[u8]>::len));
                }
                drop(taking);
                let batch = receiver.batch();
                assert!(batch.iter().map(packet_peer_udp_core::PacketMeta::length).eq(lengths));
                assert!(batch.is_sorted_by_key(packet_peer_udp_core::PacketMeta::time_usec));
                assert_eq!(batch.last().unwrap().sender(), receiver.last_taken().unwrap().sender());
                got.extend(batch.iter().map(|stamp| (stamp.sender().port(), stamp.length())));
            }
            assert_eq!(got, expected, "{flavour:?}");
        }
    }
}

#[test]
fn joined_datagrams_of_every_number_and_size_are_told_apart() {
    let _alone = ALONE.lock();
    for in_background in MODES {
        for flavour in flavours() {
            let receiver = Peer::new();
            receiver.bind(0, flavour.bind, 1 << 20).unwrap();
            receiver.set_background_receive(in_background).unwrap();
            let sender = sender_to(&receiver, flavour.reach);
            for segment in [1_usize, 2, 63, 1_200, 1_472, 8_000, 33_000] {
                for count in [1_usize, 2, 63, 64, 65, 130] {
                    // What the kernel's buffer holds at a time.
                    if segment * count > 100_000 {
                        continue;
                    }
                    for missing in [0, 1, segment / 2] {
                        let length = segment * count - missing;
                        let data: Vec<u8> = (0..length).map(|i| (i % 251).to_le_bytes()[0]).collect();
                        let sent = sender.send_segmented(&data, size(segment)).unwrap();
                        assert_eq!(sent, length.div_ceil(segment));
                        let mut got = Vec::new();
                        eventually("all have come", || {
                            take_some(&receiver, count, |packet| got.push(packet.to_vec()));
                            got.len() >= sent
                        });
                        assert!(got.iter().eq(data.chunks(segment)), "{flavour:?} {segment} {count} {missing}");
                    }
                }
            }
        }
    }
}

#[test]
fn sending_many_stops_at_what_the_system_refuses() {
    for connected in [false, true] {
        let (sender, receiver) = pair(V4);
        if connected {
            sender.connect("127.0.0.1", nonzero(port(&receiver))).unwrap();
        }
        let large = vec![0; 65_508];
        assert_eq!(sender.send_many(&[b"a", b"b", &large, b"c"]).unwrap(), 2, "connected: {connected}");
        assert!(sender.last_error().code != 0);
        assert_eq!((next(&receiver), next(&receiver)), (b"a".to_vec(), b"b".to_vec()));
        assert_eq!(sender.send_many(&[]).unwrap(), 0);
        assert_eq!(sender.send_segmented(&[], size(5)).unwrap(), 0);
        assert_eq!(sender.send_many(&[b"", b"x", b""]).unwrap(), 3);
        assert_eq!((next(&receiver), next(&receiver), next(&receiver)), (vec![], b"x".to_vec(), vec![]));
    }
    let error = Peer::new().send_many(&[b"x"]).unwrap_err();
    assert!(matches!(error.reason, Reason::NoDestination), "{error}");
}

#[test]
fn many_datagrams_reach_a_connected_partner_that_was_not_there_before() {
    let sender = Peer::new();
    let absent = bound("127.0.0.1");
    let its_port = port(&absent);
    absent.close();
    sender.connect("127.0.0.1", nonzero(its_port)).unwrap();
    for _ in 0..3 {
        // Each is refused; the answers come with later calls.
        assert_eq!(sender.send_many(&[b"x"]).unwrap(), 1);
    }
    absent.bind(its_port, "127.0.0.1", 0).unwrap();
    assert_eq!(sender.send_many(&[b"1", b"2", b"3"]).unwrap(), 3);
    assert_eq!((next(&absent), next(&absent), next(&absent)), (b"1".to_vec(), b"2".to_vec(), b"3".to_vec()));
    assert_eq!(sender.stats().send_errors, 0);
}

#[test]
fn sending_to_somebody_leaves_the_destination_as_it_is() {
    let (sender, receiver) = pair(V4);
    let other = bound("127.0.0.1");
    sender.send_to(b"other", "127.0.0.1", port(&other)).unwrap();
    sender.send_to(b"", "127.0.0.1", port(&other)).unwrap();
    sender.send(b"usual").unwrap();
    assert_eq!((next(&other), next(&other), next(&receiver)), (b"other".to_vec(), vec![], b"usual".to_vec()));
    for ip in ["localhost", "", "1.2.3"] {
        let error = sender.send_to(b"x", ip, 1).unwrap_err();
        assert!(matches!(error.reason, Reason::InvalidAddress), "{error}");
    }
    sender.connect("127.0.0.1", nonzero(port(&receiver))).unwrap();
    let error = sender.send_to(b"x", "127.0.0.1", port(&other)).unwrap_err();
    assert!(matches!(error.reason, Reason::Connected), "{error}");
}

#[test]
fn what_a_full_queue_gives_up_follows_the_policy() {
    let _alone = ALONE.lock();
    for (policy, kept) in [(OverflowPolicy::DropNewest, 0..63), (OverflowPolicy::DropOldest, 17..80)] {
        let receiver = bound("127.0.0.1");
        receiver.close();
        receiver.bind(0, "127.0.0.1", 0).unwrap();
        receiver.set_overflow_policy(policy);
        receiver.set_background_receive(true).unwrap();
        let sender = sender_to(&receiver, "127.0.0.1");
        for number in 0..80_u8 {
            sender.send(&[number; 1_000]).unwrap();
        }
        eventually("17 are dropped", || receiver.stats().packets_dropped_queue >= 17);
        assert_eq!((receiver.stats().packets_received, receiver.stats().bytes_received), (63, 63_000));
        for number in kept {
            assert_eq!(take(&receiver).unwrap(), vec![number; 1_000]);
        }
        assert_eq!(take(&receiver), None);
    }
}

#[test]
fn polled_the_newest_wait_in_the_kernel_and_the_oldest_make_room() {
    for (policy, kept, dropped) in [(OverflowPolicy::DropNewest, 0..80, 0), (OverflowPolicy::DropOldest, 17..80, 17)] {
        let receiver = Peer::new();
        receiver.bind(0, "127.0.0.1", 0).unwrap();
        receiver.set_overflow_policy(policy);
        let sender = sender_to(&receiver, "127.0.0.1");
        for number in 0..80_u8 {
            sender.send(&[number; 1_000]).unwrap();
        }
        assert_eq!(receiver.available(), Some(63));
        assert_eq!(receiver.stats().packets_received, 63, "what waits aside has not been received");
        for number in kept {
            assert!(receiver.available().is_some());
            assert_eq!(take(&receiver).unwrap(), vec![number; 1_000]);
        }
        assert_eq!(take(&receiver), None);
        assert_eq!(receiver.stats().packets_dropped_queue, dropped);
    }
}

#[test]
fn statistics_agree_with_what_was_sent() {
    let _alone = ALONE.lock();
    for in_background in MODES {
        let receiver = receiver(in_background);
        let sender = sender_to(&receiver, "127.0.0.1");
        for length in 1..=100 {
            sender.send(&vec![0; length]).unwrap();
        }
        sender.send_many(&[b"a", b"bc"]).unwrap();
        assert!(sender.send(&vec![0; 65_508]).is_err());
        eventually("all are there", || receiver.available() == Some(102));
        let sent = sender.stats();
        assert_eq!((sent.packets_sent, sent.bytes_sent, sent.send_errors), (102, 5_053, 1));
        assert!(sent.send_syscalls >= 102 && sent.send_syscalls <= 103, "{sent:?}");
        let got = receiver.stats();
        assert_eq!((got.packets_received, got.bytes_received), (102, 5_053));
        assert_eq!((got.packets_dropped_queue, got.packets_dropped_kernel, got.receive_errors), (0, 0, 0));
        assert!(got.receive_syscalls > 0);
        receiver.reset_stats();
        assert_eq!((receiver.stats().packets_received, receiver.stats().bytes_received), (0, 0));
        assert_eq!(receiver.available(), Some(102), "the packets are still there");
    }
}

#[test]
fn packets_have_the_time_when_they_came() {
    let (sender, receiver) = pair(V4);
    let before = clock_nsec() / 1_000;
    sender.send(b"x").unwrap();
    let sent = clock_nsec() / 1_000;
    eventually("a while has passed", || clock_nsec() / 1_000 > sent + 20_000);
    next(&receiver);
    let read = clock_nsec() / 1_000;
    let time = receiver.last_taken().unwrap().time_usec();
    assert!(before <= time + 1 && time <= read, "{before} {time} {read}");
    if cfg!(target_os = "linux") && io_mode_limit() != Ok(IoMode::Portable) {
        assert!(time <= sent, "{time} is later than {sent}: not the kernel's");
    }
}

/// (Where it was the thread itself that let go of a peer last, it takes a moment.)
fn no_thread_is_left() {
    eventually("the thread goes", || background_threads() == 0);
}

#[test]
fn the_thread_comes_with_the_first_peer_and_goes_with_the_last() {
    let _alone = ALONE.lock();
    no_thread_is_left();
    let peers: Vec<_> = (0..50).map(|_| receiver(true)).collect();
    assert_eq!(background_threads(), 1);
    let closed = Peer::new();
    closed.set_background_receive(true).unwrap();
    for (index, peer) in peers.iter().enumerate() {
        assert_eq!(background_threads(), 1);
        // Each way of leaving.
        if index % 2 == 0 { peer.close() } else { peer.set_background_receive(false).unwrap() }
    }
    no_thread_is_left();
    closed.bind(0, "127.0.0.1", 0).unwrap();
    assert_eq!(background_threads(), 1, "the option is applied when the peer is opened");
    drop(closed);
    no_thread_is_left();
    assert!(peers[0].background_receive(), "the option is kept");
}

#[test]
fn the_port_is_free_at_once_when_a_peer_is_closed_under_traffic() {
    let _alone = ALONE.lock();
    let peer = receiver(true);
    let its_port = port(&peer);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            while !stop.load(Ordering::Relaxed) {
                let _ = socket.send_to(b"x", ("127.0.0.1", its_port));
            }
        });
        for round in 0..50 {
            let closed = Arc::new(AtomicBool::new(false));
            let taking = scope.spawn({
                let (closed, peer) = (Arc::clone(&closed), Arc::clone(&peer));
                move || take_until_closed(&peer, &closed)
            });
            eventually("traffic arrives", || peer.stats().packets_received > 0);
            closed.store(true, Ordering::Relaxed);
            peer.close();
            assert!(peer.available().is_none());
            peer.bind(its_port, "127.0.0.1", 0).unwrap_or_else(|error| panic!("round {round}: {error}"));
            peer.reset_stats();
            taking.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Waits and takes until the peer is closed, and maybe once more.
fn take_until_closed(peer: &Peer, closed: &AtomicBool) {
    while !closed.load(Ordering::Relaxed) {
        match peer.wait(Some(LONG)) {
            Ok(WaitEnd::Ready) => drop(peer.take()),
            Ok(WaitEnd::Closed) => return,
            Ok(end) => panic!("{end:?}"),
            // Closed already when the wait began.
            Err(error) => return assert_eq!(error.operation, Operation::Wait),
        }
    }
}

#[test]
fn the_port_is_free_at_once_after_waiting_and_after_receiving_in_the_background() {
    let _alone = ALONE.lock();
    let peer = receiver(false);
    let its_port = port(&peer);
    for round in 0..10 {
        assert_eq!(peer.wait(Some(Duration::from_millis(10))).unwrap(), WaitEnd::TimedOut);
        peer.close();
        peer.bind(its_port, "127.0.0.1", 0).unwrap_or_else(|error| panic!("round {round}: {error}"));
        peer.set_background_receive(true).unwrap();
        peer.set_background_receive(false).unwrap();
        peer.close();
        peer.bind(its_port, "127.0.0.1", 0).unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
}

#[test]
fn the_port_is_free_when_any_of_several_calls_to_close_returns() {
    let peer = bound("127.0.0.1");
    let its_port = port(&peer);
    for round in 0..100 {
        let waits: Vec<_> = (0..3).map(|_| waiting(&peer)).collect();
        thread::scope(|scope| {
            scope.spawn(|| peer.close());
            peer.close();
            let other = Peer::new();
            other.bind(its_port, "127.0.0.1", 0).unwrap_or_else(|error| panic!("round {round}: {error}"));
        });
        for wait in waits {
            assert_eq!(wait.join().unwrap(), WaitEnd::Closed);
        }
        peer.bind(its_port, "127.0.0.1", 0).unwrap();
    }
}

#[test]
fn strangers_packets_from_before_the_connection_hide_nobodys() {
    let (receiver, friend) = (bound("127.0.0.1"), bound("127.0.0.1"));
    let stranger = sender_to(&receiver, "127.0.0.1");
    for _ in 0..40 {
        stranger.send(b"stranger").unwrap();
    }
    let to = port(&receiver);
    receiver.connect("127.0.0.1", nonzero(port(&friend))).unwrap();
    friend.set_destination("127.0.0.1", to).unwrap();
    friend.send(b"friend").unwrap();
    eventually("it has come", || receiver.wait(Some(Duration::ZERO)).unwrap() == WaitEnd::Ready);
    assert_eq!(take(&receiver).unwrap(), b"friend");
}

#[test]
fn what_is_queued_when_receiving_goes_to_the_background_is_news() {
    let _alone = ALONE.lock();
    let receiver = receiver(false);
    receiver.enable_signals(78);
    sender_to(&receiver, "127.0.0.1").send(b"x").unwrap();
    eventually("it is queued", || receiver.available() == Some(1));
    let _ = take_pending_signals();
    receiver.set_background_receive(true).unwrap();
    assert_eq!(take_pending_signals(), [78]);
    assert_eq!(receiver.take_pending_signal(), Some(1));
    // Once only, however often the peer is opened anew.
    let sender = sender_to(&receiver, "127.0.0.1");
    sender.send(b"y").unwrap();
    eventually("it is there", || receiver.available() == Some(2));
    for _ in 0..3 {
        receiver.close();
        receiver.bind(0, "127.0.0.1", 0).unwrap();
        sender_to(&receiver, "127.0.0.1").send(b"z").unwrap();
        eventually("it is there", || receiver.available() == Some(1));
    }
    eventually("there is news", || take_pending_signals() == [78]);
}

#[test]
fn waits_end_for_packets_in_the_background_and_through_switches() {
    let _alone = ALONE.lock();
    for (before, during) in [(true, true), (true, false), (false, true)] {
        let receiver = receiver(before);
        let sender = sender_to(&receiver, "127.0.0.1");
        for _ in 0..20 {
            receiver.set_background_receive(before).unwrap();
            let waits: Vec<_> = (0..3).map(|_| waiting(&receiver)).collect();
            receiver.set_background_receive(during).unwrap();
            sender.send(b"x").unwrap();
            for wait in waits {
                assert_eq!(wait.join().unwrap(), WaitEnd::Ready, "{before} {during}");
            }
            assert_eq!(take(&receiver).unwrap(), b"x");
        }
        let wait = waiting(&receiver);
        receiver.interrupt_wait();
        assert_eq!(wait.join().unwrap(), WaitEnd::Interrupted);
        let wait = waiting(&receiver);
        receiver.close();
        assert_eq!(wait.join().unwrap(), WaitEnd::Closed);
    }
}

#[test]
fn news_are_told_once_and_only_of_what_is_there() {
    let _alone = ALONE.lock();
    let _ = take_pending_signals();
    let receiver = receiver(true);
    receiver.enable_signals(77);
    let sender = sender_to(&receiver, "127.0.0.1");
    sender.send(b"1").unwrap();
    sender.send(b"2").unwrap();
    eventually("both are there", || receiver.available() == Some(2));
    let mut news = take_pending_signals();
    eventually("there is news", || {
        news.extend(take_pending_signals());
        !news.is_empty()
    });
    assert_eq!(news, [77]);
    assert_eq!(receiver.take_pending_signal(), Some(2));
    assert_eq!(receiver.take_pending_signal(), None);
    assert_eq!(take_pending_signals(), []);
    sender.send(b"3").unwrap();
    eventually("it is there", || receiver.available() == Some(3));
    eventually("there is news", || take_pending_signals() == [77]);
    while take(&receiver).is_some() {}
    assert_eq!(receiver.take_pending_signal(), None, "somebody has taken them");
}

#[test]
fn a_flood_on_one_peer_neither_starves_another_nor_fills_memory() {
    let _alone = ALONE.lock();
    let flooded = receiver(true);
    let quiet = receiver(true);
    let flood = sender_to(&flooded, "127.0.0.1");
    let sender = sender_to(&quiet, "127.0.0.1");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let data = vec![0; 64 * 100];
            while !stop.load(Ordering::Relaxed) {
                let _ = flood.send_segmented(&data, size(100));
            }
        });
        eventually("the flood is on", || flooded.stats().packets_dropped_queue > 10_000);
        for _ in 0..200 {
            sender.send(b"x").unwrap();
            assert_eq!(quiet.wait(Some(LONG / 5)).unwrap(), WaitEnd::Ready);
            assert_eq!(take(&quiet).unwrap(), b"x");
        }
        assert!(flooded.available().unwrap() * 124 < 2 << 20, "past its bound");
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn buffers_are_asked_for_and_read_back() {
    type Set = fn(&Peer, usize) -> packet_peer_udp_core::Result<()>;
    type Get = fn(&Peer) -> usize;
    let kinds: [(Set, Get); 2] = [
        (Peer::set_receive_buffer_size, Peer::receive_buffer_size),
        (Peer::set_send_buffer_size, Peer::send_buffer_size),
    ];
    for (set, get) in kinds {
        let peer = Peer::new();
        assert_eq!(get(&peer), 0);
        peer.bind(0, "127.0.0.1", 0).unwrap();
        let default = get(&peer);
        assert!(default > 0);
        set(&peer, 20_000).unwrap();
        let granted = get(&peer);
        assert!((20_000..=40_000).contains(&granted) && granted != default, "{granted}");
        peer.close();
        assert_eq!(get(&peer), 20_000, "remembered");
        peer.bind(0, "127.0.0.1", 1 << 20).unwrap();
        assert_eq!(get(&peer), granted, "applied at every opening, whatever bind asks for");
        set(&peer, 0).unwrap();
        assert!(get(&peer) >= default);
        peer.close();
        assert_eq!(get(&peer), 0);
    }
}

#[test]
fn many_peers_come_and_go_in_the_background_under_traffic() {
    let _alone = ALONE.lock();
    let until = Instant::now() + Duration::from_secs(1);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while Instant::now() < until {
                    let peer = receiver(true);
                    let sender = sender_to(&peer, "127.0.0.1");
                    for _ in 0..20 {
                        let _ = sender.send(b"x");
                    }
                    let _ = peer.wait(Some(LONG)).unwrap();
                }
            });
        }
    });
    no_thread_is_left();
}
