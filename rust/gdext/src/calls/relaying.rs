//! A relay: starting it, its properties, and its statistics.

use godot::builtin::GString;
use godot::global::Error as GodotError;
use godot::prelude::VarDictionary;
use packet_peer_udp_core::{DirectionStats, Operation, ProxyStats, Result};

use crate::convert::{self, Text, counter_to_int, to_godot_error};
use crate::messages::{self, CLIENT_TIMEOUT_RANGE, CLIENTS_RANGE};
use crate::report::Limit;
use crate::shared::SharedProxy;

pub(crate) fn start(
    shared: &SharedProxy,
    target_host: &GString,
    target_port: i64,
    listen_port: i64,
    listen_address: &GString,
) -> GodotError {
    let SharedProxy { proxy, reporter, .. } = shared;
    let (host, address) = (Text::from(target_host), Text::from(listen_address));
    let ports = || {
        let target = convert::port_to_reach(Operation::SetDestination, &host, target_port)?;
        Ok((target, convert::port(Operation::Bind, &address, listen_port)?))
    };
    let started = match ports() {
        Ok((target, listen)) => proxy.start(&host, target, listen, &address),
        // As for an open peer, that it runs comes before a port out of range.
        Err(_) if proxy.is_running() => proxy.fail(messages::runs_already(&address)),
        Err(error) => proxy.fail(error),
    };
    let Err(error) = started else { return GodotError::OK };
    let local_port = || proxy.local_addr().map(|address| address.port());
    reporter.print("start", Limit::Ours, &messages::start(&error, local_port(), target_host, listen_address));
    to_godot_error(&error)
}

pub(crate) fn get_local_port(shared: &SharedProxy) -> i64 {
    if let Some(address) = shared.proxy.local_addr() {
        return address.port().into();
    }
    shared.reporter.print("get_local_port", Limit::Ours, &messages::PROXY_HAS_NO_PORT);
    0
}

pub(crate) fn set_client_timeout_msec(shared: &SharedProxy, msec: i64) {
    let property = "client_timeout_msec";
    set(shared, property, CLIENT_TIMEOUT_RANGE, convert::unsigned(property, msec), |msec| {
        shared.proxy.set_client_timeout_msec(msec);
    });
}

pub(crate) fn set_max_clients(shared: &SharedProxy, max: i64) {
    let property = "max_clients";
    set(shared, property, CLIENTS_RANGE, convert::unsigned(property, max), |max| shared.proxy.set_max_clients(max));
}

/// Sets a property to a value that may be out of range.
fn set<T>(shared: &SharedProxy, property: &'static str, range: &str, value: Result<T>, set: impl FnOnce(T)) {
    match value.or_else(|error| shared.proxy.fail(error)) {
        Ok(value) => set(value),
        Err(error) => shared.reporter.print_of_property(property, &messages::refused_property(&error, range)),
    }
}

/// What `get_stats()` returns.
pub(crate) fn stats_dictionary(stats: &ProxyStats) -> VarDictionary {
    let mut dictionary = VarDictionary::new();
    for (direction, stats) in [("to_target", &stats.to_target), ("to_client", &stats.to_client)] {
        for (name, count) in counters(stats) {
            dictionary.set(format!("{direction}_{name}"), counter_to_int(count));
        }
    }
    dictionary.set("to_target_refused", counter_to_int(stats.refused));
    dictionary
}

fn counters(stats: &DirectionStats) -> [(&'static str, u64); 10] {
    [
        ("packets_in", stats.packets_in),
        ("packets_out", stats.packets_out),
        ("bytes_in", stats.bytes_in),
        ("bytes_out", stats.bytes_out),
        ("lost", stats.lost),
        ("duplicated", stats.duplicated),
        ("reordered", stats.reordered),
        ("corrupted", stats.corrupted),
        ("dropped", stats.dropped),
        ("waiting", stats.waiting),
    ]
}
