use std::any::Any;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::sink::{Batch, Received, Sink};

mod counting;

/// A peer that counts how often it was detached.
#[derive(Debug, Default)]
struct TestPeer(AtomicUsize);

impl AcceptedPeer for TestPeer {
    fn detached(&self, _why: Detachment) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

fn table(max_pending: usize) -> PeerTable {
    let table = PeerTable::default();
    table.open();
    table.set_max_pending(max_pending);
    table
}

fn packet(from: u16) -> PacketMeta {
    PacketMeta::new(1, SocketAddr::from(([127, 0, 0, 1], from)), 0)
}

fn remote(from: u16) -> RemoteAddr {
    packet(from).remote()
}

/// A packet arrives; whether a peer gets it.
fn receive(table: &PeerTable, from: u16, at: u64) -> bool {
    let mut entries = table.lock();
    let found = entries.find_or_add(packet(from));
    found.map(|(inbox, _)| inbox.lock().note_received(at)).is_some()
}

/// Accepts all that are pending, as these peers. The server is polled afterwards.
fn accept_all(table: &PeerTable, now: u64) -> Vec<Arc<TestPeer>> {
    let mut entries = table.lock();
    let mut peers = Vec::new();
    while let Some(accepted) = entries.accept(now) {
        let peer = Arc::new(TestPeer::default());
        let weak = Arc::downgrade(&peer);
        assert!(entries.attach(&accepted, weak));
        peers.push(peer);
    }
    entries.note_poll(false);
    peers
}

/// Whether exactly these peers time out.
fn time_out(table: &PeerTable, until: u64, expected: &[&Arc<TestPeer>]) -> bool {
    let (idle, any_more) = table.lock().time_out(until);
    assert!(!any_more);
    let is_same = |(peer, expected): (&Weak<dyn AcceptedPeer>, &&Arc<TestPeer>)| {
        peer.upgrade().is_some_and(|peer| std::ptr::addr_eq(Arc::as_ptr(&peer), Arc::as_ptr(expected)))
    };
    idle.len() == expected.len() && idle.iter().zip(expected).all(is_same)
}

/// How many peers are pending, and how many are accepted.
fn counts(table: &PeerTable) -> (usize, usize) {
    let entries = table.lock();
    (entries.pending.len(), entries.accepted_count())
}

#[test]
fn one_address_is_one_peer_while_pending_and_when_accepted() {
    let table = table(2);
    assert!(receive(&table, 1, 0) && receive(&table, 1, 0) && receive(&table, 2, 0));
    assert_eq!(counts(&table), (2, 0));
    assert_eq!(accept_all(&table, 0).len(), 2);
    assert!(receive(&table, 1, 0));
    assert_eq!(counts(&table), (0, 2));
}

#[test]
fn a_flood_of_new_addresses_leaves_no_memory_and_does_not_touch_accepted_peers() {
    let table = table(3);
    for from in 1..=10 {
        receive(&table, from, 0);
        accept_all(&table, 0);
    }
    for from in 11..60_000 {
        assert_eq!(receive(&table, from, 0), from < 14);
    }
    assert_eq!(counts(&table), (3, 10));
    assert!(table.lock().table.capacity() < 2 * SLACK);
    assert!((1..=13).all(|from| receive(&table, from, 0)), "the peers that there were still receive");
}

#[test]
fn lowering_the_limit_drops_the_newest_that_are_too_many_and_raising_it_none() {
    let table = table(5);
    (1..=5).for_each(|from| assert!(receive(&table, from, 0)));
    table.set_max_pending(20);
    assert_eq!(table.lock().pending.len(), 5);
    table.set_max_pending(3);
    assert_eq!(table.lock().pending, [1, 2, 3].map(remote));
    assert!(!receive(&table, 4, 0));
    table.set_max_pending(0);
    assert_eq!(counts(&table), (0, 0));
}

#[test]
fn the_packets_of_a_dropped_pending_peer_count_as_dropped() {
    let table = table(5);
    for number in 0..3 {
        let mut entries = table.lock();
        let (inbox, _) = entries.find_or_add(packet(1)).unwrap();
        inbox.lock().queue.push_or_drop(&[number], packet(1));
        entries.counts.add(1);
    }
    table.set_max_pending(0);
    assert_eq!(table.lock().dropped(), 3);
    assert_eq!(table.lock().counts(), QueueCounts::default());
}

#[test]
fn a_removed_address_is_new_and_removing_the_old_peer_again_does_not_touch_the_new_one() {
    let table = table(5);
    receive(&table, 1, 0);
    accept_all(&table, 0);
    table.remove(&remote(1), 1);
    assert_eq!(table.lock().accepted_count(), 0);
    receive(&table, 1, 0);
    assert_eq!(table.lock().made, 2);
    assert_eq!(counts(&table), (1, 0));
    table.remove(&remote(1), 1);
    assert_eq!(table.lock().table.len(), 1);
}

#[test]
fn an_idle_peer_times_out_when_its_time_is_over_and_no_sooner() {
    let table = table(10);
    table.lock().set_idle_timeout(100);
    (1..=3).for_each(|from| assert!(receive(&table, from, 10)));
    let [first, second, _third] = accept_all(&table, 20).try_into().unwrap();
    receive(&table, 2, 90);
    receive(&table, 3, 119);
    assert_eq!(table.lock().next_deadline(), Some(120));
    assert!(time_out(&table, 119, &[]));
    assert!(time_out(&table, 120, &[&first]));
    assert!(time_out(&table, 189, &[]));
    assert!(time_out(&table, 200, &[&second]));
    assert_eq!(table.lock().accepted_count(), 1);
}

#[test]
fn a_timeout_holds_for_peers_that_are_accepted_already_and_not_for_pending_ones() {
    let table = table(10);
    receive(&table, 1, 10);
    let first = accept_all(&table, 10);
    receive(&table, 2, 10);
    table.lock().set_idle_timeout(100);
    assert!(time_out(&table, 1_000, &[&first[0]]));
    table.lock().set_idle_timeout(0);
    accept_all(&table, 1_000);
    assert_eq!(table.lock().next_deadline(), None);
    assert_eq!(table.lock().accepted_count(), 1);
}

#[test]
fn restarting_the_idle_timers_gives_every_peer_its_whole_time_again() {
    let table = table(10);
    table.lock().set_idle_timeout(100);
    receive(&table, 1, 0);
    let peers = accept_all(&table, 0);
    table.lock().restart_idle_timers(500);
    assert!(time_out(&table, 599, &[]));
    assert!(time_out(&table, 600, &[&peers[0]]));
}

#[test]
fn a_peer_that_is_attached_after_the_server_was_stopped_is_told() {
    let table = table(10);
    receive(&table, 1, 0);
    let accepted = table.lock().accept(0).unwrap();
    assert!(table.drain().is_empty(), "there is no peer to tell yet");
    let peer = Arc::new(TestPeer::default());
    let weak = Arc::downgrade(&peer);
    assert!(!table.lock().attach(&accepted, weak));
    assert!(!accepted.inbox.lock().is_open());
}

#[test]
fn peers_that_come_and_go_leave_no_memory() {
    let table = table(10);
    table.lock().set_idle_timeout(1_000_000_000);
    for id in 1..10_000 {
        receive(&table, 1, 0);
        accept_all(&table, 0);
        table.remove(&remote(1), id);
    }
    assert!(table.lock().deadlines.len() <= SLACK + 1);
    for from in 1..5_000 {
        receive(&table, from, 0);
        accept_all(&table, 0);
    }
    let all: Vec<_> = table.lock().table.iter().map(|entry| (entry.remote, entry.id)).collect();
    for (remote, id) in all {
        table.remove(&remote, id);
    }
    assert!(table.lock().table.capacity() <= 2 * SLACK);
}

#[test]
fn a_peer_does_not_time_out_between_accept_and_attach() {
    let table = table(10);
    table.lock().set_idle_timeout(100);
    receive(&table, 1, 0);
    let accepted = table.lock().accept(0).unwrap();
    assert!(time_out(&table, 10_000, &[]));
    let peer = Arc::new(TestPeer::default());
    let weak = Arc::downgrade(&peer);
    assert!(table.lock().attach(&accepted, weak));
    assert!(time_out(&table, 10_099, &[]));
    assert!(time_out(&table, 10_100, &[&peer]));
}

#[test]
fn many_idle_peers_are_closed_in_short_rounds() {
    let table = table(10);
    table.lock().set_idle_timeout(100);
    let many = 5 * DEADLINES_PER_CALL + 1;
    let peers: Vec<_> = (1..=u16::try_from(many).unwrap())
        .flat_map(|from| {
            receive(&table, from, 0);
            accept_all(&table, 0)
        })
        .collect();
    let mut rounds = 0;
    let mut any_more = true;
    while any_more {
        let (idle, more) = table.lock().time_out(1_000);
        assert!(idle.len() <= DEADLINES_PER_CALL);
        any_more = more;
        rounds += 1;
    }
    assert_eq!((rounds, table.lock().accepted_count(), peers.len()), (6, 0, many));
}

/// Delivers a batch with a packet from each of these.
fn deliver(table: &PeerTable, from: &[u16]) {
    let received = |from: &u16| Received { bytes: b"x", meta: packet(*from), slot: 0 };
    table.deliver(&Batch { messages: from.iter().map(received).collect(), in_background: false });
}

#[test]
fn packets_of_the_same_microsecond_are_told_apart_by_the_order_in_which_they_were_delivered() {
    let table = table(10);
    deliver(&table, &[1, 2, 3]);
    let peers = accept_all(&table, 0);
    let take = |from: u16| {
        let entries = table.lock();
        let (inbox, _) = entries.find(entries.hash(&remote(from)), &remote(from)).unwrap();
        assert!(inbox.lock().take().is_some());
    };
    // Emptied and filled again, so that the marks have another order than the packets.
    take(1);
    take(2);
    deliver(&table, &[2, 1, 2]);
    let ready = table.lock().ready();
    let index = |one: &Arc<dyn AcceptedPeer>| {
        peers.iter().position(|peer| std::ptr::addr_eq(Arc::as_ptr(peer), Arc::as_ptr(one))).unwrap()
    };
    assert_eq!(ready.iter().map(index).collect::<Vec<_>>(), [2, 1, 0]);
}

#[test]
fn a_peer_is_marked_as_ready_once_however_often_it_comes_and_goes() {
    let table = table(10);
    for id in 1..10_000 {
        (0..3).for_each(|_| deliver(&table, &[1]));
        let peers = accept_all(&table, 0);
        if id % 100 == 0 {
            let ready = table.lock().ready();
            assert!(ready.len() == 1 && std::ptr::addr_eq(Arc::as_ptr(&ready[0]), Arc::as_ptr(&peers[0])));
        }
        assert!(table.lock().ready.marks.len() <= 2);
        table.remove(&remote(1), id);
    }
    assert!(table.lock().ready().is_empty());
}

#[test]
fn marks_of_peers_that_are_gone_are_removed_while_others_stay() {
    let table = table(2_000);
    table.lock().note_poll(false);
    let all: Vec<_> = (1..=1_000).collect();
    all.chunks(16).for_each(|some| deliver(&table, some));
    accept_all(&table, 0);
    // A third of the peers come and go.
    for (id, from) in (1_001..=20_000).zip((1..=333).cycle()) {
        let remote = remote(from);
        let old = table.lock().find_entry(&remote).map(|entry| entry.get().id).unwrap();
        table.remove(&remote, old);
        deliver(&table, &[from]);
        accept_all(&table, 0);
        assert_eq!(table.lock().made, id);
        let marks = table.lock().ready.marks.len();
        assert!(marks <= 1_500, "{marks} marks of 1,000 peers");
    }
    // The peers of the test are gone, so no mark leads to one; those of the table are all found.
    assert_eq!(table.lock().ready().len(), 0);
    assert_eq!(table.lock().ready.marks.len(), 1_000);
}
