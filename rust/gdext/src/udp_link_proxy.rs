//! The class `UdpLinkProxy`: its registered members. What they do beyond a line is in [`calls`](crate::calls).
//!
//! The `///` comments are its pages in the editor's class reference, as those of `PacketPeerUdpRs`.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the class reference's links are not Rust's")]
#![allow(clippy::tabs_in_doc_comments, reason = "the samples are GDScript, which the editor indents by tabs")]
#![allow(clippy::needless_pass_by_value, reason = "a method takes its arguments by value")]

use std::sync::Arc;

use godot::classes::RefCounted;
use godot::global::Error as GodotError;
use godot::prelude::*;
use godot::register::property::PhantomVar;

use crate::calls::{links, relaying};
use crate::convert::count_to_int;
use crate::direct::direct_methods;
use crate::registry::{HasShared, Registration};
use crate::shared::SharedProxy;
use crate::udp_link_conditions::UdpLinkConditions;

/// A relay with a bad network in it, for everything that speaks UDP: ENet, [PacketPeerDTLS], WebRTC, another program.
///
/// It stands between a client and a server that know nothing of it. The client talks to the proxy's port, and the proxy to the target,
/// from a separate port for each client. What passes is subject to a [UdpLinkConditions] in each direction.
///
/// ```gdscript
/// var proxy := UdpLinkProxy.new()
///
/// func join(server_port: int) -> void:
/// 	proxy.to_target_conditions = preload("res://addons/packet_peer_udp_rs/conditions/awful.tres")
/// 	proxy.to_client_conditions = preload("res://addons/packet_peer_udp_rs/conditions/awful.tres")
/// 	if proxy.start("127.0.0.1", server_port) != OK:
/// 		push_error(proxy.get_last_error_message())
/// 		return
/// 	var client := ENetMultiplayerPeer.new()
/// 	client.create_client("127.0.0.1", proxy.get_local_port())
/// 	multiplayer.multiplayer_peer = client
/// ```
///
/// It runs on the addon's thread and costs the game's thread nothing: nothing needs to be called in each frame. Where a direction has no
/// conditions, packets pass in batches. Keep a reference to it: without one, it stops.
///
/// To the server, all clients have the proxy's address and differ by port. What the target's host refuses (ICMP) the client hears
/// nothing of; it is counted.
///
/// **On the open internet**, a proxy passes on what anyone sends to it. It listens on this machine only, unless [method start] is told
/// otherwise. Forged senders fill at most [member max_clients] places.
///
/// **Threads:** every method may be called from any thread.
#[derive(GodotClass)]
#[class(tool, base = RefCounted)]
pub(crate) struct UdpLinkProxy {
    /// What happens to packets on their way to the target; `null`, the default, for nothing. May be set at any time, also before
    /// [method start], and is kept when the proxy stops. Each client has a line of its own, and all of them begin anew when this is set.
    /// Setting `null` sends at once what is held back.
    ///
    /// The line of a client holds at most 4 MiB, and all lines of the proxy 64 MiB. What exceeds that is dropped and counted.
    #[var(get = get_to_target_conditions, set = set_to_target_conditions, usage_flags = [EDITOR], hint = RESOURCE_TYPE, hint_string = "UdpLinkConditions")]
    to_target_conditions: PhantomVar<Option<Gd<UdpLinkConditions>>>,
    /// What happens to packets on their way back to the clients, as [member to_target_conditions].
    #[var(get = get_to_client_conditions, set = set_to_client_conditions, usage_flags = [EDITOR], hint = RESOURCE_TYPE, hint_string = "UdpLinkConditions")]
    to_client_conditions: PhantomVar<Option<Gd<UdpLinkConditions>>>,
    /// After how many milliseconds a client is forgotten to which and from which nothing comes; 0 for never. If it sends again, it is a
    /// new client, with another port to the target. A client of which something is held back is not silent.
    #[var(get = get_client_timeout_msec, set = set_client_timeout_msec, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,600000,1,or_greater,suffix:ms")]
    client_timeout_msec: PhantomVar<i64>,
    /// How many clients there may be at once. Packets of further senders are dropped and counted as `to_target_dropped`. Each takes a
    /// socket; where the process may open no more files, it is as if this were reached, and [method get_last_error_message] says so.
    ///
    /// If there are more when this is set, they stay until they are silent.
    #[var(get = get_max_clients, set = set_max_clients, usage_flags = [EDITOR], hint = RANGE, hint_string = "1,4096,1,or_greater")]
    max_clients: PhantomVar<i64>,
    shared: Registration<SharedProxy>,
    base: Base<RefCounted>,
}

#[godot_api]
impl IRefCounted for UdpLinkProxy {
    fn init(base: Base<RefCounted>) -> Self {
        Self {
            to_target_conditions: PhantomVar::default(),
            to_client_conditions: PhantomVar::default(),
            client_timeout_msec: PhantomVar::default(),
            max_clients: PhantomVar::default(),
            shared: Registration::new(&base, Arc::new(SharedProxy::default())),
            base,
        }
    }
}

impl HasShared for UdpLinkProxy {
    type Shared = SharedProxy;

    fn registration(&self) -> &Registration<SharedProxy> {
        &self.shared
    }
}

#[godot_api]
impl UdpLinkProxy {
    /// Begins to listen on a local port, and to pass on what comes there to the target, and back.
    ///
    /// `target_host` is an IP address or a host name, which is looked up in the call, as by
    /// [method PacketPeerUdpRs.set_dest_address]. With 0 as `listen_port`, the default, the system chooses a free one, which
    /// [method get_local_port] returns. `listen_address` is `"127.0.0.1"`, so that only this machine reaches it; `"*"` is for every
    /// address of the machine, IPv4 and IPv6. Clients and target may be of different address families.
    ///
    /// Returns [constant OK]; [constant ERR_ALREADY_IN_USE] if it runs already; [constant ERR_INVALID_PARAMETER] for a port out of
    /// range, or a `listen_address` that is malformed or a name; [constant ERR_CANT_RESOLVE] for a `target_host` that has no address;
    /// [constant ERR_UNAVAILABLE] if the port is taken, no interface has that address, or another thread calls [method stop] meanwhile;
    /// [constant ERR_CANT_CREATE] if the system cannot create a socket. Whether anything listens at the target cannot be told.
    #[cfg(false)]
    #[func]
    fn start(
        target_host: GString,
        target_port: i64,
        #[opt(default = 0)] listen_port: i64,
        #[opt(default = "127.0.0.1")] listen_address: GString,
    ) -> GodotError {
    }

    /// Ends it. When this returns, its ports are free, and what was held back is dropped and counted. Does nothing if it does not run.
    #[cfg(false)]
    #[func]
    fn stop() {}

    /// Whether it listens.
    #[cfg(false)]
    #[func]
    fn is_running() -> bool {}

    /// The port that it listens on; 0, and an error in the log, if it does not run.
    #[cfg(false)]
    #[func]
    fn get_local_port() -> i64 {}

    /// How many clients there are now: addresses that have sent something and were not silent for [member client_timeout_msec].
    #[cfg(false)]
    #[func]
    fn get_client_count() -> i64 {}

    /// What has passed since the proxy was created, or since [method reset_stats]: packets, except where it says bytes. For each
    /// direction, with `to_target_` or `to_client_` before it:
    /// - `packets_in`, `bytes_in`: received by the proxy; bytes of payloads.
    /// - `packets_out`, `bytes_out`: sent on.
    /// - `lost`, `duplicated`, `reordered`, `corrupted`: what the conditions have done.
    /// - `dropped`: larger than the conditions let through, for which there was no room, which were held back when the proxy stopped, of
    ///   senders over [member max_clients], or that the system has refused to send.
    /// - `waiting`: held back now.
    ///
    /// While none is on its way through, `packets_in` + `duplicated` is `packets_out` + `lost` + `dropped` + `waiting`. Besides:
    /// - `to_target_refused`: how often the target's host has reported that nothing receives there (ICMP). The system keeps one report
    ///   at a time, so this may be fewer.
    #[cfg(false)]
    #[func]
    fn get_stats() -> VarDictionary {}

    /// Sets everything that [method get_stats] counts to 0, except what is waiting.
    #[cfg(false)]
    #[func]
    fn reset_stats() {}

    /// The system's error code of the last failed call, or of the last packet that could not be passed on; 0 if none failed, or the
    /// system was not asked. See [method get_last_error_message].
    #[cfg(false)]
    #[func]
    fn get_last_os_error() -> i64 {}

    /// Why the last failed call failed, or the last packet could not be passed on, in the system's words; `""` if none failed. A call
    /// that succeeds does not clear it.
    #[cfg(false)]
    #[func]
    fn get_last_error_message() -> GString {}
}

// How these are written, and why they are no `#[func]`s: see `direct.rs`.
direct_methods! {
    UdpLinkProxy, __godot_UdpLinkProxy_Funcs;

    mut fn start(
        shared,
        target_host: GString,
        target_port: i64,
        listen_port: i64 = 0,
        listen_address: GString = GString::from("127.0.0.1")
    ) -> GodotError {
        relaying::start(shared, &target_host, target_port, listen_port, &listen_address)
    }

    mut fn stop(shared) {
        shared.proxy.stop();
    }

    const fn is_running(shared) -> bool {
        shared.proxy.is_running()
    }

    const fn get_local_port(shared) -> i64 {
        relaying::get_local_port(shared)
    }

    const fn get_client_count(shared) -> i64 {
        count_to_int(shared.proxy.clients())
    }

    const fn get_stats(shared) -> VarDictionary {
        relaying::stats_dictionary(&shared.proxy.stats())
    }

    mut fn reset_stats(shared) {
        shared.proxy.reset_stats();
    }

    const fn get_last_os_error(shared) -> i64 {
        shared.proxy.last_error().code.into()
    }

    const fn get_last_error_message(shared) -> GString {
        GString::from(&shared.proxy.last_error().message)
    }

    const fn get_to_target_conditions(shared) -> Option<Gd<UdpLinkConditions>> {
        links::get_send_conditions(shared)
    }

    mut fn set_to_target_conditions(shared, conditions: Option<Gd<UdpLinkConditions>>) {
        links::set_send_conditions(shared, conditions);
    }

    const fn get_to_client_conditions(shared) -> Option<Gd<UdpLinkConditions>> {
        links::get_receive_conditions(shared)
    }

    mut fn set_to_client_conditions(shared, conditions: Option<Gd<UdpLinkConditions>>) {
        links::set_receive_conditions(shared, conditions);
    }

    const fn get_client_timeout_msec(shared) -> i64 {
        shared.proxy.client_timeout_msec().into()
    }

    mut fn set_client_timeout_msec(shared, msec: i64) {
        relaying::set_client_timeout_msec(shared, msec);
    }

    const fn get_max_clients(shared) -> i64 {
        count_to_int(shared.proxy.max_clients())
    }

    mut fn set_max_clients(shared, max: i64) {
        relaying::set_max_clients(shared, max);
    }
}
