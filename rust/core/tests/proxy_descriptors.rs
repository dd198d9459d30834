//! What a flood of senders costs: no more clients and descriptors than allowed, and none where the process has none left. The descriptors
//! are those of the whole process, so the tests take turns, and no other test is in this binary.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::net::{Ipv4Addr, UdpSocket};

mod common;

use common::{LONG, eventually, nonzero};
use packet_peer_udp_core::{Conditions, Proxy, SharedConditions};
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

/// The sockets of the relay that are none of a client's, and what the reactor has: the epoll instance and its notification.
const FEW: usize = 8;

/// How many descriptors the process has open. The listing itself needs one.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

fn relayed() -> (Proxy, UdpSocket) {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target.set_read_timeout(Some(LONG)).unwrap();
    let proxy = Proxy::default();
    proxy.start("127.0.0.1", nonzero(target.local_addr().unwrap().port()), 0, "127.0.0.1").unwrap();
    (proxy, target)
}

/// Has each of `count` senders of different addresses send one packet.
fn flood(proxy: &Proxy, count: u32) {
    let to = proxy.local_addr().unwrap();
    let before = proxy.stats().to_target.packets_in;
    for number in 0..count {
        let ip = Ipv4Addr::from(0x7f01_0001 + number);
        UdpSocket::bind((ip, 0)).unwrap().send_to(&[1; 100], to).unwrap();
        if number % 50 == 49 || number + 1 == count {
            eventually("all have come", || proxy.stats().to_target.packets_in == before + u64::from(number) + 1);
        }
    }
}

#[test]
fn a_flood_of_senders_stays_at_the_limit_of_clients() {
    let _turn = TURNS.lock();
    let before = descriptors();
    let (proxy, target) = relayed();
    for (delay, waiting) in [(0.0, 0), (600_000.0, 1_024)] {
        let conditions = Conditions { latency_msec: delay, ..Conditions::default() };
        proxy.set_to_target_conditions(Some(SharedConditions::new(conditions)));
        proxy.set_client_timeout_msec(30_000);
        proxy.reset_stats();
        flood(&proxy, 5_000);
        assert_eq!(proxy.clients(), 1_024);
        assert!(descriptors() <= before + 1_024 + FEW, "{} after {before}", descriptors());
        eventually("all are counted", || {
            let stats = proxy.stats().to_target;
            (stats.dropped, stats.waiting, stats.packets_out) == (5_000 - 1_024, waiting, 1_024 - waiting)
        });
        // What is held is no silence. Without it, they are forgotten, and others may come.
        proxy.set_to_target_conditions(None);
        eventually("nothing is held", || proxy.stats().to_target.waiting == 0);
        proxy.set_client_timeout_msec(1);
        eventually("all are forgotten", || proxy.clients() == 0);
        eventually("their sockets are closed", || descriptors() <= before + FEW);
    }
    drop((proxy, target));
    eventually("no descriptor is left", || descriptors() <= before);
}

#[test]
fn where_descriptors_run_out_a_packet_is_dropped_and_the_error_says_why() {
    let _turn = TURNS.lock();
    let (proxy, target) = relayed();
    let client = |number: u8| {
        let client = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        client.connect(proxy.local_addr().unwrap()).unwrap();
        client.send(&[number]).unwrap();
        client
    };
    let mut buffer = [0; 10];
    let known = client(1);
    assert_eq!(target.recv(&mut buffer).unwrap(), 1);
    let unknown = UdpSocket::bind("127.0.0.1:0").unwrap();
    unknown.connect(proxy.local_addr().unwrap()).unwrap();
    {
        let _limit = Limit::lower();
        for _ in 0..100 {
            unknown.send(&[2]).unwrap();
        }
        eventually("they are dropped", || proxy.stats().to_target.dropped == 100);
        assert_eq!(proxy.last_error().code, libc::EMFILE);
        assert_eq!(proxy.clients(), 1);
        // Said once: what comes later stays.
        proxy.note_misuse("something else");
        unknown.send(&[2]).unwrap();
        eventually("it is dropped", || proxy.stats().to_target.dropped == 101);
        assert_eq!(proxy.last_error().message, "something else");
        known.send(&[3]).unwrap();
        assert_eq!((target.recv(&mut buffer).unwrap(), buffer[0]), (1, 3));
    }
    unknown.send(&[4]).unwrap();
    assert_eq!((target.recv(&mut buffer).unwrap(), buffer[0]), (1, 4));
    assert_eq!(proxy.clients(), 2);
}

/// The limit of open descriptors, until it is dropped: no more than there are.
struct Limit {
    before: libc::rlimit,
    _holes: Vec<File>,
}

impl Limit {
    fn lower() -> Self {
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `before` is valid for a write.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) }, 0);
        // The limit is on the number of a descriptor, so there must be no free number below it.
        let highest = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        set_limit(libc::rlimit { rlim_cur: highest.max().unwrap() + 1, ..before });
        let holes = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        Self { before, _holes: holes }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        set_limit(self.before);
    }
}

fn set_limit(limit: libc::rlimit) {
    // SAFETY: the call only reads `limit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}
