//! The clients of a relay: how many, for how long, and what they learn of a target that is not there.

use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{Conditions, Proxy, SharedConditions};

use super::fixture::{Relayed, balanced, port, receive, receive_all, send_numbers, socket};
use crate::common::eventually;

#[test]
fn a_silent_client_is_forgotten_and_may_come_again() {
    let relayed = Relayed::new();
    assert_eq!((relayed.proxy.client_timeout_msec(), relayed.proxy.max_clients()), (30_000, 1_024));
    let (client, before) = relayed.greeted();
    let others: Vec<_> = (0..10).map(|_| relayed.greeted()).collect();
    assert_eq!(relayed.proxy.clients(), 11);
    // Applies to those that there are.
    relayed.proxy.set_client_timeout_msec(30);
    eventually("all are forgotten", || relayed.proxy.clients() == 0);
    relayed.proxy.set_client_timeout_msec(0);
    relayed.target.send_to(b"late", before).unwrap();
    client.send(b"again").unwrap();
    let (again, after) = receive(&relayed.target);
    assert_eq!(again, b"again");
    assert_ne!(before, after);
    relayed.target.send_to(b"answer", after).unwrap();
    assert_eq!(receive(&client).0, b"answer");
    drop(others);
    // Never.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(relayed.proxy.clients(), 1);
    balanced(&relayed.proxy);
}

#[test]
fn a_client_that_sends_or_is_sent_something_is_not_silent() {
    let relayed = Relayed::new();
    relayed.proxy.set_client_timeout_msec(1_500);
    let (sending, _) = relayed.greeted();
    let (listening, to) = relayed.greeted();
    let silent = relayed.greeted();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        sending.send(b"x").unwrap();
        relayed.target.send_to(b"y", to).unwrap();
        assert_eq!(receive(&listening).0, b"y");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(relayed.proxy.clients(), 2);
    drop(silent);
}

#[test]
fn a_client_is_not_silent_while_something_of_it_is_held() {
    let relayed = Relayed::new();
    let (holding, _) = relayed.greeted();
    relayed.greeted();
    let long = Conditions { latency_msec: 600_000.0, ..Conditions::default() };
    relayed.proxy.set_to_target_conditions(Some(SharedConditions::new(long)));
    holding.send(b"held").unwrap();
    relayed.await_in(3);
    relayed.proxy.set_client_timeout_msec(20);
    eventually("the other is forgotten", || relayed.proxy.clients() == 1);
    thread::sleep(Duration::from_millis(100));
    assert_eq!((relayed.proxy.clients(), relayed.proxy.stats().to_target.waiting), (1, 1));
    relayed.proxy.set_to_target_conditions(None);
    assert_eq!(receive(&relayed.target).0, b"held");
    eventually("it is forgotten", || relayed.proxy.clients() == 0);
    balanced(&relayed.proxy);
}

#[test]
fn clients_over_the_limit_are_dropped_and_counted() {
    let relayed = Relayed::new();
    relayed.proxy.set_max_clients(3);
    let clients: Vec<_> = (0..5).map(|_| relayed.client()).collect();
    for (client, number) in clients.iter().zip(1..) {
        send_numbers(4, |packet| client.send(packet));
        relayed.await_in(number * 4);
    }
    let stats = balanced(&relayed.proxy).to_target;
    assert_eq!((stats.packets_out, stats.dropped, relayed.proxy.clients()), (12, 8, 3));
    assert_eq!(receive_all(&relayed.target).len(), 12);
    // Lowered, nobody has to go.
    relayed.proxy.set_max_clients(1);
    for client in &clients {
        client.send(b"y").unwrap();
    }
    relayed.await_in(25);
    assert_eq!((relayed.proxy.clients(), receive_all(&relayed.target).len()), (3, 3));
    relayed.proxy.set_max_clients(4);
    clients[4].send(b"z").unwrap();
    assert_eq!(receive(&relayed.target).0, b"z");
    assert_eq!((relayed.proxy.clients(), relayed.proxy.max_clients()), (4, 4));
}

#[test]
fn many_clients_are_gone_soon_after_a_stop() {
    let relayed = Relayed::new();
    let clients: Vec<_> = (0..300).map(|_| relayed.greeted()).collect();
    assert_eq!(relayed.proxy.clients(), 300);
    let start = Instant::now();
    relayed.proxy.stop();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!((relayed.proxy.clients(), relayed.proxy.is_running()), (0, false));
    drop(clients);
}

#[test]
fn all_methods_may_be_called_from_any_thread_at_any_time() {
    let relayed = Relayed::new();
    let Relayed { proxy, target } = &relayed;
    let at = port(target);
    let end = Instant::now() + Duration::from_millis(1_500);
    let conditions = SharedConditions::new(Conditions { latency_msec: 1.0, loss: 0.1, ..Conditions::default() });
    let restart = |proxy: &Proxy| {
        proxy.stop();
        let _ = proxy.start("127.0.0.1", at, 0, "127.0.0.1");
    };
    let change = |proxy: &Proxy| {
        proxy.set_to_target_conditions(Some(conditions.clone()));
        proxy.set_to_client_conditions(Some(conditions.clone()));
        proxy.set_client_timeout_msec(1);
        proxy.set_to_client_conditions(None);
        proxy.set_max_clients(7);
        proxy.set_client_timeout_msec(1_000);
        proxy.set_to_target_conditions(None);
    };
    let ask = |proxy: &Proxy| {
        let _ = (proxy.stats(), proxy.clients(), proxy.local_addr(), proxy.is_running(), proxy.last_error());
    };
    let talk = |proxy: &Proxy| {
        let Some(to) = proxy.local_addr() else { return };
        let client = socket("127.0.0.1");
        send_numbers(20, |packet| client.send_to(packet, to));
    };
    let echo = |_: &Proxy| {
        target.set_nonblocking(true).unwrap();
        let mut buffer = [0; 100];
        if let Ok((length, from)) = target.recv_from(&mut buffer) {
            let _ = target.send_to(&buffer[..length], from);
        }
    };
    let calls: [&(dyn Fn(&Proxy) + Sync); 7] = [&restart, &restart, &change, &ask, &talk, &talk, &echo];
    thread::scope(|scope| {
        for call in calls {
            scope.spawn(move || {
                while Instant::now() < end {
                    call(proxy);
                    thread::yield_now();
                }
            });
        }
    });
    proxy.stop();
    let stats = balanced(proxy);
    assert_eq!((stats.to_target.waiting, stats.to_client.waiting), (0, 0));
    assert!(stats.to_target.packets_in > 0 && !proxy.is_running());
}
