//! The methods, by name. A test compares the names with the sources, so that none is missing.

use std::num::{NonZeroU8, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use packet_peer_udp_core::{Options, OverflowPolicy, Peer, SocketOption};

use crate::common::nonzero;
use crate::worlds::{HOST, RelayWorld, ServerWorld, conditions};

/// As in `groups_and_broadcasts.rs`: what is joined stays on this machine.
const INTERFACE: &str = if cfg!(target_os = "linux") { "lo" } else { "" };

/// A method, with arguments for which it does something.
pub(crate) struct Method<W> {
    pub(crate) name: &'static str,
    call: Box<dyn Fn(&W) + Sync>,
}

impl<W> Method<W> {
    pub(crate) fn call(&self, world: &W) {
        (self.call)(world);
    }
}

/// A list of [`Method`]s: what each of them needs; then names and expressions, whose values do not matter.
macro_rules! methods {
    (|$world:ident| $prepared:pat = $prepare:expr; $($name:ident: $call:expr,)+) => {
        vec![$(Method {
            name: stringify!($name),
            call: Box::new(move |$world| {
                #[allow(unused_variables, reason = "not every method needs all of it")]
                let $prepared = $prepare;
                let _ = $call;
            }),
        }),+]
    };
}

/// Of a peer; `peer` gives it, and the port of one that it talks to.
pub(crate) fn peer<W: 'static>(peer: fn(&W) -> (Arc<Peer>, u16)) -> Vec<Method<W>> {
    methods![|world| (p, port) = peer(world);
        is_accepted: p.is_accepted(),
        send_conditions: p.send_conditions(),
        set_send_conditions: p.set_send_conditions(port.is_multiple_of(2).then(conditions)),
        receive_conditions: p.receive_conditions(),
        set_receive_conditions: {
            p.set_receive_conditions(Some(conditions()));
            p.set_receive_conditions(None);
        },
        connect: p.connect(HOST, nonzero(port)),
        set_destination: p.set_destination(HOST, port),
        has_destination: p.has_destination(HOST, port),
        connect_async: p.connect_async("localhost", nonzero(port)),
        set_destination_async: p.set_destination_async("localhost", port),
        cancel_resolving: p.cancel_resolving(),
        is_resolving: p.is_resolving(),
        take_resolved: p.take_resolved(),
        take_many: p.take_many(None).map(|mut drain| {
            while drain.next().is_some_and(|run| run.packets().count() > 0) {}
        }),
        enable_signals: p.enable_signals(1),
        bind: p.bind(0, HOST, 65_536),
        close: p.close(),
        join_group: p.join_group("239.7.7.7", INTERFACE),
        leave_group: p.leave_group("239.7.7.7", INTERFACE),
        is_open: p.is_open(),
        is_connected: p.is_connected(),
        local_addr: p.local_addr(),
        last_taken: p.last_taken(),
        batch: p.batch(),
        last_error: p.last_error(),
        fail: p.send_to(b"", "no address", 1).map_err(|error| p.fail::<()>(error)),
        note_misuse: p.note_misuse("misuse"),
        take_refusals: p.take_refusals(),
        stats: p.stats(),
        totals: p.totals(),
        reset_stats: p.reset_stats(),
        option: p.option(Options::clone),
        set_option: p.set_option(SocketOption::TimeToLive(NonZeroU8::new((port % 9) as u8 + 1))),
        set_broadcast: p.set_broadcast(port.is_multiple_of(2)),
        background_receive: p.background_receive(),
        set_background_receive: (p.set_background_receive(true), p.set_background_receive(false)),
        overflow_policy: p.overflow_policy(),
        set_overflow_policy: p.set_overflow_policy(OverflowPolicy::DropOldest),
        receive_buffer_size: p.receive_buffer_size(),
        set_receive_buffer_size: p.set_receive_buffer_size(1 << 16),
        send_buffer_size: p.send_buffer_size(),
        set_send_buffer_size: p.set_send_buffer_size(1 << 16),
        queue_size: p.queue_size(),
        set_queue_size: p.set_queue_size(usize::from(port) + 65_536),
        queue_limit: p.queue_limit(),
        take_drop_notice: p.take_drop_notice(),
        token: p.token(),
        poll: p.poll(),
        available: p.available(),
        prefetch: p.prefetch(),
        take: p.take(),
        take_or_copy: p.take_or_copy(&mut Vec::with_capacity(8)),
        mark_queued: p.mark_queued(),
        take_pending_signal: p.take_pending_signal(),
        send: p.send(b"one"),
        send_to: p.send_to(b"to", HOST, port),
        send_broadcast: p.send_broadcast(b"b", nonzero(port)),
        send_many: p.send_many(&[b"many", b""]),
        send_segmented: p.send_segmented(b"segmented", NonZeroUsize::MIN),
        wait: p.wait(Some(Duration::from_millis(1))),
        interrupt_wait: p.interrupt_wait(),
        waits: p.waits(),
    ]
}

pub(crate) fn server() -> Vec<Method<ServerWorld>> {
    methods![|world| (s, (peer, _)) = (&world.server, world.peer());
        send_conditions: s.send_conditions(),
        set_send_conditions: (s.set_send_conditions(Some(conditions())), s.set_send_conditions(None)),
        receive_conditions: s.receive_conditions(),
        set_receive_conditions: (s.set_receive_conditions(Some(conditions())), s.set_receive_conditions(None)),
        listen: s.listen(0, HOST),
        stop: s.stop(),
        poll: s.poll(),
        is_listening: s.is_listening(),
        local_addr: s.local_addr(),
        has_pending: s.has_pending(),
        pending: s.pending(),
        ready_peers: s.ready_peers(),
        ready_tokens: s.ready_tokens(),
        enable_signals: s.enable_signals(2),
        take_connected: s.take_connected(),
        take_timed_out: s.take_timed_out(),
        accept: s.accept(),
        peers: s.peers(),
        max_pending: s.max_pending(),
        set_max_pending: (s.set_max_pending(0), s.set_max_pending(16)),
        peer_timeout_msec: s.peer_timeout_msec(),
        queue_size: s.queue_size(),
        set_queue_size: s.set_queue_size(100_000),
        set_peer_timeout_msec: (s.set_peer_timeout_msec(1), s.set_peer_timeout_msec(10_000)),
        background_receive: s.background_receive(),
        set_background_receive: (s.set_background_receive(true), s.set_background_receive(false)),
        option: s.option(Options::clone),
        set_option: s.set_option(SocketOption::TrafficClass(8)),
        take_refusals: s.take_refusals(),
        receive_buffer_size: s.receive_buffer_size(),
        set_receive_buffer_size: s.set_receive_buffer_size(1 << 16),
        send_buffer_size: s.send_buffer_size(),
        set_send_buffer_size: s.set_send_buffer_size(1 << 16),
        stats: s.stats(),
        reset_stats: s.reset_stats(),
        drops: s.drops(),
        last_error: s.last_error(),
        fail: s.listen(0, "no address").map_err(|error| s.fail::<()>(error)),
        note_misuse: s.note_misuse("misuse"),
        waits: s.waits(),
        send_to_peers: s.send_to_peers(&[&peer, &peer], b"to all"),
    ]
}

pub(crate) fn relay() -> Vec<Method<RelayWorld>> {
    methods![|world| (relay, port) = (world.busy(), world.target_port());
        start: relay.start(HOST, port, 0, HOST),
        stop: relay.stop(),
        is_running: relay.is_running(),
        local_addr: relay.local_addr(),
        clients: relay.clients(),
        to_target_conditions: relay.to_target_conditions(),
        set_to_target_conditions: (relay.set_to_target_conditions(Some(conditions())), relay.set_to_target_conditions(None)),
        to_client_conditions: relay.to_client_conditions(),
        set_to_client_conditions: relay.set_to_client_conditions(Some(conditions())),
        client_timeout_msec: relay.client_timeout_msec(),
        set_client_timeout_msec: (relay.set_client_timeout_msec(1), relay.set_client_timeout_msec(10_000)),
        max_clients: relay.max_clients(),
        set_max_clients: (relay.set_max_clients(0), relay.set_max_clients(16)),
        stats: relay.stats(),
        reset_stats: relay.reset_stats(),
        last_error: relay.last_error(),
        fail: relay.start("", port, 0, HOST).map_err(|error| relay.fail::<()>(error)),
        note_misuse: relay.note_misuse("misuse"),
    ]
}

/// The names of the methods that a file of the sources declares with `&self`.
fn declared(file: &str) -> Vec<String> {
    let path = format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut names = Vec::new();
    for declaration in source.split("    pub fn ").skip(1) {
        let (name, rest) = declaration.split_once(['(', '<']).unwrap();
        if rest.split_once(')').unwrap().0.contains("&self") {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn no_method_is_missing() {
    let check = |names: Vec<&str>, files: &[&str]| {
        let mut declared: Vec<String> = files.iter().flat_map(|file| declared(file)).collect();
        // Of a `Drain` and of what it gives: one thread has them.
        declared.retain(|name| !["packets", "lacks_memory"].contains(&name.as_str()));
        declared.sort();
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort();
        assert_eq!(names, declared, "{files:?}");
    };
    let files =
        ["accepted", "conditions", "destination", "drain", "mod", "options", "queue", "receive", "send", "wait"];
    let files: Vec<String> = files.iter().map(|file| format!("peer/{file}.rs")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let peer_methods = peer(ServerWorld::peer);
    check(peer_methods.iter().map(|method| method.name).collect(), &files);
    check(
        server().iter().map(|method| method.name).collect(),
        &["server/conditions.rs", "server/mod.rs", "server/send.rs"],
    );
    check(relay().iter().map(|method| method.name).collect(), &["proxy/mod.rs"]);
}
