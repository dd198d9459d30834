//! The signals of the peers, emitted once a frame on the main thread, and what the addon's threads have to print.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Weak};

use godot::classes::Object;
use godot::classes::object::ConnectFlags;
use godot::global::Error as GodotError;
use godot::obj::EngineBitfield;
use godot::prelude::*;
use packet_peer_udp_core::{Reason, Resolved, format_address, take_pending_signals};
use parking_lot::Mutex;

use crate::convert::{count_to_int, to_godot_error};
use crate::messages;
use crate::registry::{Registered, Registry};
use crate::report::Limit;
use crate::shared::{PEERS, SERVERS, Shared, SharedServer};

/// The peers with queued packets that a handler which is connected later is to be told of, by their tokens.
static UNHEARD: Mutex<BTreeMap<u64, Unheard>> = Mutex::new(BTreeMap::new());

/// How many newcomers of which servers, by their tokens, a handler which is connected later is to be told of, as far as they are still
/// pending then.
static UNHEARD_NEWCOMERS: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());

/// What was signalled of a peer's packets that are still queued.
struct Unheard {
    shared: Weak<Shared>,
    /// Hashes of the handlers that have been called and are still connected; none where nobody is.
    called: Vec<u32>,
}

/// Emits what is pending. To be called once a frame, on the main thread.
pub(crate) fn emit() {
    let tokens = take_pending_signals();
    let unheard = mem::take(&mut *UNHEARD.lock());
    let mut servers = mem::take(&mut *UNHEARD_NEWCOMERS.lock());
    if tokens.is_empty() && unheard.is_empty() && servers.is_empty() {
        return;
    }
    let signal = StringName::from("packets_available");
    for token in &tokens {
        let Some((mut object, shared)) = find(&PEERS, *token) else {
            servers.entry(*token).or_default();
            continue;
        };
        // Both are taken before either is emitted: what a handler causes belongs to the next frame.
        let (count, resolved) = (shared.peer.take_pending_signal(), shared.peer.take_resolved());
        if let Some(count) = count {
            emit_packets_available(&mut object, &shared, &signal, *token, count);
        }
        if let Some(resolved) = resolved {
            emit_host_resolved(&mut object, &shared, resolved);
        }
        if shared.peer.take_drop_notice() {
            let text = messages::queue_has_dropped(shared.peer.queue_limit(), shared.peer.is_accepted());
            shared.reporter.print_of_property("queue_size", &text);
        }
    }
    // Of these, packets that have arrived meanwhile were signalled above.
    for (token, one) in unheard.into_iter().filter(|(token, _)| tokens.binary_search(token).is_err()) {
        // Mostly the packets have been taken: the engine is asked only where there are some.
        let Some(count) = one.shared.upgrade().and_then(|shared| queued_in_background(&shared)) else { continue };
        let Some((mut object, shared)) = find(&PEERS, token) else { continue };
        let Handlers { kept, is_any_called_once } = Handlers::of(&object, &signal);
        if is_any_called_once || kept.iter().any(|handler| !one.called.contains(handler)) {
            emit_packets_available(&mut object, &shared, &signal, token, count);
        } else {
            UNHEARD.lock().insert(token, Unheard { called: kept, ..one });
        }
    }
    for (token, unheard) in servers {
        if let Some((mut object, shared)) = find(&SERVERS, token) {
            emit_of_server(&mut object, &shared, token, unheard);
        }
    }
}

/// Forgets what is pending, before the library is unloaded.
pub(crate) fn forget() {
    UNHEARD.lock().clear();
    UNHEARD_NEWCOMERS.lock().clear();
}

fn find<S: Registered>(registry: &Registry<S>, token: u64) -> Option<(Gd<Object>, Arc<S>)> {
    let (object, shared) = registry.find(token)?;
    // As an `Object`: to look up its class takes longer than all the rest.
    Some((object.try_to().ok()?, shared))
}

/// Emits `packets_available` if a handler is connected. Connecting a handler while packets are queued counts as an arrival, so the peer
/// is remembered as long as some are left.
fn emit_packets_available(
    object: &mut Gd<Object>,
    shared: &Arc<Shared>,
    signal: &StringName,
    token: u64,
    count: usize,
) {
    let handlers = Handlers::of(object, signal);
    if handlers.is_any_called_once || !handlers.kept.is_empty() {
        object.emit_signal(signal, vslice![count_to_int(count)]);
    }
    if queued_in_background(shared).is_some() {
        UNHEARD.lock().insert(token, Unheard { shared: Arc::downgrade(shared), called: handlers.kept });
    }
}

/// How many packets are queued in a peer that receives in the background; `None` where there are none.
fn queued_in_background(shared: &Shared) -> Option<usize> {
    let peer = &shared.peer;
    if peer.background_receive() { peer.available().filter(|count| *count > 0) } else { None }
}

/// The handlers that are connected to a signal.
#[derive(Default)]
struct Handlers {
    /// Hashes of those that stay connected after an emission.
    kept: Vec<u32>,
    /// Whether there is another one, such as an `await`. One that is connected after an emission has not been called by it.
    is_any_called_once: bool,
}

impl Handlers {
    fn of(object: &Gd<Object>, signal: &StringName) -> Self {
        let mut handlers = Self::default();
        // There may be thousands of peers, most of them without a handler.
        if !object.has_connections(signal) {
            return handlers;
        }
        for connection in object.get_signal_connection_list(signal).iter_shared() {
            let flags = connection.get("flags").and_then(|flags| flags.try_to::<i64>().ok()).unwrap_or(0);
            if flags.cast_unsigned() & ConnectFlags::ONE_SHOT.ord() != 0 {
                handlers.is_any_called_once = true;
            } else if let Some(callable) = connection.get("callable") {
                handlers.kept.push(callable.hash_u32());
            }
        }
        handlers
    }
}

/// Connecting a handler while connections are pending counts as if they had just come: `unheard` are those of earlier frames.
fn emit_of_server(object: &mut Gd<Object>, shared: &SharedServer, token: u64, unheard: usize) {
    let server = &shared.server;
    // Both are taken before either is emitted, as with a peer.
    let newcomers = (server.take_connected() + unheard).min(server.pending());
    let timed_out = server.take_timed_out();
    // A handler of an earlier one may have taken some.
    for told in 0..newcomers {
        let left = (newcomers - told).min(server.pending());
        if left == 0 {
            break;
        }
        // The handler of an earlier one may have been the last.
        if !object.has_connections("peer_connected") {
            UNHEARD_NEWCOMERS.lock().insert(token, left);
            break;
        }
        object.emit_signal("peer_connected", &[]);
    }
    for peer in timed_out.iter().filter_map(Weak::upgrade) {
        // One that is being freed is not found.
        if let Some((peer, _)) = peer.token().and_then(|token| PEERS.find(token)) {
            object.emit_signal("peer_timed_out", &[peer]);
        }
    }
}

fn emit_host_resolved(object: &mut Gd<Object>, shared: &Shared, resolved: Resolved) {
    let ip = resolved.address.map_or(GString::new(), |address| GString::from(&format_address(address)));
    let error = resolved.error.as_ref().map_or(GodotError::OK, to_godot_error);
    object.emit_signal("host_resolved", vslice![error, ip]);
    // Printed after the signal: printing may run a script that closes the peer, which would cancel the signal.
    shared.report_refusals();
    // Misuse was reported by the call itself, and that a name has no address is what the signal says.
    if let Some(error) = resolved.error.filter(|e| !matches!(e.reason, Reason::Connected | Reason::Unresolvable(_))) {
        shared.reporter.print("connect_to_host_async", Limit::Ours, &messages::no_connection(&error));
    }
}
