//! A relay with link conditions: every packet is accounted for, whatever happens in the middle.

use std::sync::Arc;

use packet_peer_udp_core::{Conditions, Proxy, SharedConditions};

use super::fixture::{Relayed, balanced, receive, receive_all, send_numbers};
use crate::common::eventually;

fn shared(values: Conditions) -> Arc<SharedConditions> {
    SharedConditions::new(values)
}

/// So much latency that nothing falls due in a test.
fn held() -> Arc<SharedConditions> {
    shared(Conditions { latency_msec: 600_000.0, ..Conditions::default() })
}

#[test]
fn every_packet_is_accounted_for() {
    let delay = Conditions { latency_msec: 3.0, ..Conditions::default() };
    let bad = Conditions {
        loss: 0.2,
        loss_burst: 3.0,
        duplicate: 0.1,
        reorder: 0.1,
        jitter_msec: 2.0,
        corrupt: 0.1,
        ..delay
    };
    for (index, values) in [
        Conditions::default(),
        Conditions { loss: 0.3, ..Conditions::default() },
        Conditions { duplicate: 0.3, ..Conditions::default() },
        delay,
        bad,
        Conditions { bandwidth_kbps: 2_000, queue_limit_msec: 2, ..Conditions::default() },
        Conditions { max_packet_size: 3, ..Conditions::default() },
        Conditions { blackout: true, ..Conditions::default() },
    ]
    .into_iter()
    .enumerate()
    {
        let relayed = Relayed::new();
        relayed.proxy.set_to_target_conditions(Some(shared(values)));
        let client = relayed.client();
        let came = relayed.send_numbered(&client, 0..1_500);
        let stats = balanced(&relayed.proxy).to_target;
        assert_eq!((stats.packets_in, stats.waiting), (1_500, 0));
        assert_eq!(came.len() as u64, stats.packets_out, "{index}: {stats:?}");
        assert_eq!(stats.lost > 0, values.loss > 0.0 || values.blackout, "{index}: {stats:?}");
        assert_eq!(stats.duplicated > 0, values.duplicate > 0.0, "{index}: {stats:?}");
        assert_eq!(stats.corrupted > 0, values.corrupt > 0.0, "{index}: {stats:?}");
        assert_eq!(stats.dropped > 0, values.bandwidth_kbps > 0 || values.max_packet_size > 0, "{index}: {stats:?}");
        if values.corrupt <= 0.0 && values.duplicate <= 0.0 {
            assert!(came.is_sorted());
        }
    }
}

#[test]
fn both_directions_have_conditions_of_their_own() {
    let relayed = Relayed::new();
    relayed.proxy.set_to_target_conditions(Some(shared(Conditions { duplicate: 1.0, ..Conditions::default() })));
    relayed.proxy.set_to_client_conditions(Some(shared(Conditions { latency_msec: 5.0, ..Conditions::default() })));
    let client = relayed.client();
    client.send(b"question").unwrap();
    let (_, from) = receive(&relayed.target);
    assert_eq!(receive(&relayed.target), (b"question".to_vec(), from));
    send_numbers(10, |packet| relayed.target.send_to(packet, from));
    (0..10_u8).for_each(|number| assert_eq!(receive(&client).0, [number]));
    let stats = relayed.await_empty();
    assert_eq!((stats.to_target.duplicated, stats.to_target.packets_out), (1, 2));
    assert_eq!((stats.to_client.duplicated, stats.to_client.packets_out), (0, 10));
    assert!(relayed.proxy.to_target_conditions().is_some_and(|conditions| conditions.get().duplicate > 0.5));
    assert!(relayed.proxy.to_client_conditions().is_some_and(|conditions| conditions.get().latency_msec > 4.0));
}

#[test]
fn conditions_change_in_the_middle_and_no_packet_is_gone_or_overtaken() {
    let relayed = Relayed::new();
    let client = relayed.client();
    let conditions = SharedConditions::new(Conditions::default());
    let mut came = Vec::new();
    for round in 0..60_u32 {
        match round % 6 {
            0 => relayed.proxy.set_to_target_conditions(None),
            1 => relayed
                .proxy
                .set_to_target_conditions(Some(shared(Conditions { latency_msec: 4.0, ..Conditions::default() }))),
            2 => relayed.proxy.set_to_target_conditions(Some(Arc::clone(&conditions))),
            3 => conditions.change(|values| values.latency_msec = 7.0),
            4 => conditions.change(|values| values.latency_msec = 0.0),
            _ => conditions.change(|values| values.jitter_msec = 1.0),
        }
        for number in round * 20..round * 20 + 20 {
            client.send(&number.to_le_bytes()).unwrap();
        }
        relayed.await_in(u64::from(round + 1) * 20);
        came.extend(relayed.take_numbers());
    }
    relayed.await_idle(&mut came);
    assert!(came.iter().copied().eq(0..1_200), "{came:?}");
    assert_eq!(balanced(&relayed.proxy).to_target.packets_out, 1_200);
}

#[test]
fn null_sends_what_is_held_at_once_in_its_order() {
    let relayed = Relayed::new();
    let (client, from) = relayed.greeted();
    relayed.proxy.set_to_target_conditions(Some(held()));
    relayed.proxy.set_to_client_conditions(Some(held()));
    send_numbers(10, |packet| client.send(packet));
    send_numbers(10, |packet| relayed.target.send_to(packet, from));
    eventually("all are held", || {
        let stats = relayed.proxy.stats();
        (stats.to_target.waiting, stats.to_client.waiting) == (10, 10)
    });
    let stats = balanced(&relayed.proxy);
    assert_eq!((stats.to_target.packets_out, stats.to_client.packets_out), (1, 0));
    relayed.proxy.set_to_target_conditions(None);
    (0..10_u8).for_each(|number| assert_eq!(receive(&relayed.target).0, [number]));
    assert_eq!(relayed.proxy.stats().to_client.waiting, 10);
    relayed.proxy.set_to_client_conditions(None);
    (0..10_u8).for_each(|number| assert_eq!(receive(&client).0, [number]));
    assert_eq!(relayed.await_empty().to_client.packets_out, 10);
    assert!(relayed.proxy.to_target_conditions().is_none() && relayed.proxy.to_client_conditions().is_none());
}

#[test]
fn what_is_held_when_the_relay_stops_is_dropped_and_counted() {
    let relayed = Relayed::new();
    let (client, from) = relayed.greeted();
    relayed.proxy.set_to_target_conditions(Some(held()));
    relayed.proxy.set_to_client_conditions(Some(held()));
    send_numbers(10, |packet| client.send(packet));
    send_numbers(5, |packet| relayed.target.send_to(packet, from));
    eventually("all are held", || {
        let stats = relayed.proxy.stats();
        (stats.to_target.waiting, stats.to_client.waiting) == (10, 5)
    });
    relayed.proxy.stop();
    let stats = balanced(&relayed.proxy);
    assert_eq!((stats.to_target.waiting, stats.to_client.waiting), (0, 0));
    assert_eq!((stats.to_target.dropped, stats.to_client.dropped), (10, 5));
    assert!(receive_all(&relayed.target).is_empty());
    // They stay, and so do the counters.
    let again = Relayed::with(relayed.proxy);
    again.client().send(b"x").unwrap();
    eventually("it is held", || again.proxy.stats().to_target.waiting == 1);
    assert_eq!(balanced(&again.proxy).to_target.packets_in, 12);
}

#[test]
fn the_counters_can_be_reset() {
    let relayed = Relayed::new();
    let (client, _) = relayed.greeted();
    relayed.proxy.set_to_target_conditions(Some(held()));
    client.send(b"x").unwrap();
    relayed.await_in(2);
    relayed.proxy.reset_stats();
    let stats = relayed.proxy.stats().to_target;
    assert_eq!((stats.packets_in, stats.packets_out, stats.bytes_in, stats.waiting), (0, 0, 0, 1));
    relayed.proxy.set_to_target_conditions(None);
    assert_eq!(receive(&relayed.target).0, b"x");
    eventually("it counts as sent", || relayed.proxy.stats().to_target.packets_out == 1);
}

/// Which of 64 packets of each of two clients come to the target.
fn survivors(proxy: Proxy, values: Conditions) -> [Vec<u32>; 2] {
    proxy.set_to_target_conditions(Some(shared(values)));
    let relayed = Relayed::with(proxy);
    let clients = [relayed.client(), relayed.client()];
    clients.map(|client| relayed.send_numbered(&client, 0..64))
}

#[test]
fn each_client_has_a_line_of_its_own_and_the_same_seed_decides_the_same() {
    let values = Conditions { loss: 0.5, rng_seed: 7, ..Conditions::default() };
    let [first, second] = survivors(Proxy::default(), values);
    assert_ne!(first, second);
    assert!((10..54).contains(&first.len()), "{first:?}");
    // Also where it is started again, and with a delay.
    let used = Relayed::new();
    used.greeted();
    used.proxy.stop();
    let delayed = Conditions { latency_msec: 2.0, ..values };
    assert_eq!(survivors(used.proxy, delayed), [first, second]);
}

#[test]
fn a_line_holds_four_mebibytes_and_all_together_sixty_four() {
    let relayed = Relayed::new();
    relayed.proxy.set_to_target_conditions(Some(held()));
    let clients: Vec<_> = (0..18).map(|_| relayed.client()).collect();
    let packet = vec![0; 60_000];
    let cost = packet.len() as u64 + 128;
    let mut sent = 0;
    for client in &clients {
        for _ in 0..75 {
            client.send(&packet).unwrap();
            sent += 1;
            if sent % 3 == 0 {
                relayed.await_in(sent);
            }
        }
        relayed.await_in(sent);
        let held = relayed.proxy.stats().to_target.waiting;
        let most = (sent / 75 * (4 << 20) / cost).min((64 << 20) / cost);
        assert!((most - sent / 75..=most).contains(&held), "{held} of {sent}");
    }
    balanced(&relayed.proxy);
    relayed.proxy.stop();
    assert_eq!(balanced(&relayed.proxy).to_target.dropped, sent);
}
