//! The class `UdpServerRs`: its registered members. What they do beyond a line is in [`calls`](crate::calls).
//!
//! The `///` comments are its pages in the editor's class reference, as those of `PacketPeerUdpRs`.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the class reference's links are not Rust's")]
#![allow(clippy::tabs_in_doc_comments, reason = "the samples are GDScript, which the editor indents by tabs")]
#![allow(clippy::needless_pass_by_value, reason = "#[func] takes its arguments by value")]

use std::sync::Arc;

use godot::classes::RefCounted;
use godot::global::Error as GodotError;
use godot::prelude::*;
use godot::register::property::PhantomVar;
use packet_peer_udp_core::SocketOption;

use crate::calls::{connections, links, opening, options};
use crate::convert::{count_to_int, counter_to_int, hops_to_int, stats_dictionary};
use crate::direct::direct_methods;
use crate::packet_peer::PacketPeerUdpRs;
use crate::registry::{HasShared, Registration};
use crate::shared::SharedServer;
use crate::udp_link_conditions::UdpLinkConditions;

/// UDP server: a drop-in for [UDPServer].
///
/// Listens on a port, and creates a [PacketPeerUdpRs] for each address that sends to it. It has all methods of [UDPServer],
/// with the same results: to use it, write `UdpServerRs` where a script says `UDPServer`, and `PacketPeerUdpRs` where it
/// says `PacketPeerUDP`.
///
/// ```gdscript
/// var server := UdpServerRs.new()
/// var peers: Array[PacketPeerUdpRs] = []
///
/// func _ready():
/// 	server.peer_timeout_msec = 10_000
/// 	if server.listen(4242) != OK:
/// 		push_error(server.get_last_error_message())
///
/// func _process(_delta):
/// 	server.poll()
/// 	while server.is_connection_available():
/// 		peers.append(server.take_connection())
/// 	peers = peers.filter(func(peer): return peer.is_socket_connected())
/// 	for peer in peers:
/// 		for i in peer.get_available_packet_count():
/// 			peer.put_packet(peer.get_packet())  # back to where it came from
/// ```
///
/// All peers share the server's socket. [method poll] reads from it; with [member background_receive] a thread of the addon
/// does so all the time. Finding the peer that a packet is for takes the same time with 10 peers as with 10000. Each peer
/// has a queue of its own, so no sender can fill the queue of another: [member queue_size] bytes, of which each packet takes
/// its length and 24 more. [member PacketPeerUdpRs.overflow_policy] sets what a full queue drops.
///
/// UDP has no connections: a "connection" here is an address and port from which something was received, and no message says
/// that it has ended. A peer belongs to the server, and [method PacketPeerUdpRs.is_socket_connected] is `true`, until
/// [method PacketPeerUdpRs.close] is called on it, nothing refers to it any more (a signal that is connected with
/// `bind(peer)` does refer to it), it was silent for [member peer_timeout_msec], or the server stops. A sender that sends
/// again after that is a new connection. The packet count of a closed peer is -1, so `for i in
/// peer.get_available_packet_count()` does nothing then.
///
/// **What such a peer cannot do**, since it has no socket of its own: [method PacketPeerUdpRs.connect_to_host],
/// [method PacketPeerUdpRs.join_multicast_group] and [method PacketPeerUdpRs.send_to] return [constant ERR_LOCKED],
/// [method PacketPeerUdpRs.bind] returns [constant ERR_ALREADY_IN_USE], [method PacketPeerUdpRs.put_packet_broadcast] -1.
/// Its destination stays its sender: [method PacketPeerUdpRs.set_dest_address] prints an error. Socket options and
/// [member PacketPeerUdpRs.background_receive] are the server's; [member PacketPeerUdpRs.overflow_policy],
/// [member PacketPeerUdpRs.send_conditions] and [member PacketPeerUdpRs.receive_conditions] are its own.
///
/// **What differs from [UDPServer]:**
/// - On a wildcard address of a machine with several addresses, answers leave from the address that the client has sent to.
/// - At most [member max_pending_connections] newcomers are admitted between two calls of [method poll], with
///   [member background_receive] between two frames: so a loop that takes all of them ends, however fast they come.
/// - A new [member max_pending_connections] drops only the pending connections that are over it, newest first.
/// - [method PacketPeerUdpRs.wait] on a peer reads the server's socket, so it ends when a packet for that peer has arrived,
///   without a call of [method poll]; and [method stop] ends it.
/// - One [method poll] reads no more than the system's buffer can have held when it was called, however long a flood goes on.
/// - The system is asked for a receive buffer of 4 MiB, so that more packets survive a long frame.
/// - A port that the system chooses (`listen(0)`) is shared with no other server; [UDPServer] may get the port of another
///   one, on Linux.
/// - [method get_last_error_message] says in the system's words why something failed.
///
/// **Unknown senders:** anyone may send from any number of addresses, also from addresses of others. That fills at most
/// [member max_pending_connections] queues, affects no peer that was taken, and is counted, see [method get_stats]. So look
/// at what a pending connection has sent before you keep its peer, and answer an unknown sender with no more bytes than it
/// has sent.
///
/// **Threads:** every method may be called from any thread; a peer may be used by another thread than the server.
#[derive(GodotClass)]
#[class(tool, base = RefCounted)]
pub(crate) struct UdpServerRs {
    /// How many connections may be pending: received from, and not yet taken by [method take_connection]. Packets of further
    /// new senders are dropped, and counted as `packets_dropped_pending` by [method get_stats]. With 0 no new connection is
    /// admitted; peers that were taken do not count. A pending connection waits without a time limit: take also those that
    /// you do not want, and drop them.
    ///
    /// If more are pending already when this is set, the newest ones over the limit are dropped with all their packets.
    #[var(get = get_max_pending_connections, set = set_max_pending_connections, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,256,1,or_greater")]
    max_pending_connections: PhantomVar<i64>,
    /// After how many milliseconds of silence a peer that was taken is closed, as by [method PacketPeerUdpRs.close]; 0, the
    /// default, for never. Counted from when the last packet of that peer arrived, whatever it was, or from when it was
    /// taken. Packets that are sent to it do not count, so a client that only listens has to send something now and then.
    ///
    /// Such a peer has lost its queue and its destination: [method PacketPeer.put_packet] returns
    /// [constant ERR_UNCONFIGURED], [method PacketPeerUdpRs.is_socket_connected] `false`, and
    /// [method PacketPeerUdpRs.get_last_error_message] says why.
    ///
    /// [method poll] closes such peers after it has read, so a game that was busy for long first reads what has arrived
    /// meanwhile. If that was more than the system's buffer holds (known on Linux), no peer is closed: the time of every peer
    /// starts again. With [member background_receive], the addon's thread closes such peers when their time is over.
    /// [method PacketPeerUdpRs.wait] closes none. Finding them takes a time that does not grow with the number of peers.
    #[var(get = get_peer_timeout_msec, set = set_peer_timeout_msec, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,60000,1,or_greater,suffix:ms")]
    peer_timeout_msec: PhantomVar<i64>,
    /// How many bytes the receive queue of each peer may hold; 0, the default, for 65536. A packet takes its length and 24
    /// bytes more, so the default holds 63 packets of 1000 bytes.
    ///
    /// A new value holds at once, also for peers that were taken and for pending ones. What is queued beyond it is dropped and
    /// counted, by the [member PacketPeerUdpRs.overflow_policy] of each peer. The first packet that a peer's queue drops prints
    /// one line.
    #[var(get = get_queue_size, set = set_queue_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    queue_size: PhantomVar<i64>,
    /// Whether packets are received in the background: a thread of the addon moves packets into the peers' queues as they
    /// arrive. So while the game loads or a frame is long, nothing is lost that fits into a peer's queue of 64 KiB, and
    /// receiving costs the game's thread no system call. [method poll] need not be called then. The peers signal
    /// [signal PacketPeerUdpRs.packets_available].
    ///
    /// May be switched at any time, also while packets arrive: no packet is lost or reordered by it.
    #[var(get = get_background_receive, set = set_background_receive, usage_flags = [EDITOR])]
    background_receive: PhantomVar<bool>,
    /// Whether several sockets may have this port, if all of them set this (`SO_REUSEADDR`). As with [UDPServer], they may by
    /// default, except on Windows, where this is `false` at first. On Linux two servers can then listen on one port, and the
    /// last one gets the packets: set this to `false` before [method listen] to get an error if another program has the port.
    ///
    /// See [member PacketPeerUdpRs.reuse_address].
    #[var(get = get_reuse_address, set = set_reuse_address, usage_flags = [EDITOR])]
    reuse_address: PhantomVar<bool>,
    /// Whether several sockets of the same user may have this port, if all of them set this (`SO_REUSEPORT`): so several
    /// server processes can share the work of one port. On Linux all packets of one sender go to the same process. Set it
    /// before [method listen]. Not on Windows. See [member PacketPeerUdpRs.reuse_port].
    #[var(get = get_reuse_port, set = set_reuse_port, usage_flags = [EDITOR])]
    reuse_port: PhantomVar<bool>,
    /// How many bytes the system is asked for as its receive buffer, now and whenever this server listens again. With 0, the
    /// default, 4 MiB. While it listens, this reads back what was granted; see
    /// [member PacketPeerUdpRs.receive_buffer_size].
    #[var(get = get_receive_buffer_size, set = set_receive_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    receive_buffer_size: PhantomVar<i64>,
    /// How many bytes the system is asked for as its send buffer; 0 for its default. While this server listens, this reads
    /// back what was granted; see [member PacketPeerUdpRs.send_buffer_size].
    #[var(get = get_send_buffer_size, set = set_send_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    send_buffer_size: PhantomVar<i64>,
    /// How many routers a packet may pass, 1 to 255; 0, the default, for the system's choice. See
    /// [member PacketPeerUdpRs.time_to_live].
    #[var(get = get_time_to_live, set = set_time_to_live, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    time_to_live: PhantomVar<i64>,
    /// The byte by which routers and the network card see how urgent packets are, 0 to 255. See
    /// [member PacketPeerUdpRs.traffic_class].
    #[var(get = get_traffic_class, set = set_traffic_class, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    traffic_class: PhantomVar<i64>,
    /// A bad network for what the peers of this server send; `null`, the default, for none. Peers that are taken from now on start
    /// with it, each with a line of its own; those that were taken already keep what they have. See
    /// [member PacketPeerUdpRs.send_conditions].
    #[var(get = get_send_conditions, set = set_send_conditions, usage_flags = [EDITOR], hint = RESOURCE_TYPE, hint_string = "UdpLinkConditions")]
    send_conditions: PhantomVar<Option<Gd<UdpLinkConditions>>>,
    /// A bad network for what the peers of this server receive, likewise; also for pending connections: a new sender becomes one
    /// when its first packet has come through. See [member PacketPeerUdpRs.receive_conditions].
    #[var(get = get_receive_conditions, set = set_receive_conditions, usage_flags = [EDITOR], hint = RESOURCE_TYPE, hint_string = "UdpLinkConditions")]
    receive_conditions: PhantomVar<Option<Gd<UdpLinkConditions>>>,
    shared: Registration<SharedServer>,
    base: Base<RefCounted>,
}

#[godot_api]
impl IRefCounted for UdpServerRs {
    fn init(base: Base<RefCounted>) -> Self {
        let shared = Registration::new(&base, Arc::new(SharedServer::default()));
        // Nothing is pending before a script has the object, and calls `listen()`.
        shared.enable_signals(shared.id());
        Self {
            max_pending_connections: PhantomVar::default(),
            peer_timeout_msec: PhantomVar::default(),
            queue_size: PhantomVar::default(),
            background_receive: PhantomVar::default(),
            reuse_address: PhantomVar::default(),
            reuse_port: PhantomVar::default(),
            receive_buffer_size: PhantomVar::default(),
            send_buffer_size: PhantomVar::default(),
            time_to_live: PhantomVar::default(),
            traffic_class: PhantomVar::default(),
            send_conditions: PhantomVar::default(),
            receive_conditions: PhantomVar::default(),
            shared,
            base,
        }
    }
}

impl HasShared for UdpServerRs {
    type Shared = SharedServer;

    fn registration(&self) -> &Registration<SharedServer> {
        &self.shared
    }
}

#[godot_api]
impl UdpServerRs {
    /// Emitted on the main thread when a new connection is pending: [method take_connection] returns it. Once for each new
    /// connection that is still pending when its turn comes, so a handler that takes one and a handler that takes all both
    /// work. Connecting the first handler counts as an arrival of what is pending. With [member background_receive] before the `_process()` of the frame, else in the frame after the
    /// [method poll] that has found it.
    #[signal]
    fn peer_connected();

    /// Emitted on the main thread when `peer` was closed because nothing came from it for [member peer_timeout_msec]; when, as
    /// [signal peer_connected]. Not emitted for a peer that no script refers to any more.
    #[signal]
    fn peer_timed_out(peer: Gd<PacketPeerUdpRs>);

    /// Begins to listen on a local `port`.
    ///
    /// With `"*"` as `bind_address` (the default), the server is reachable on every address of the machine, IPv4 and IPv6;
    /// with `"0.0.0.0"` on every IPv4 address, with `"::"` on every IPv6 address, and with the numeric address of one
    /// interface on that address only. With 0 as `port` the system chooses a free one, which [method get_local_port]
    /// returns. (As with [UDPServer], only the lower 16 bits of `port` count.)
    ///
    /// Returns [constant OK]; [constant ERR_ALREADY_IN_USE] if it listens already; [constant ERR_INVALID_PARAMETER] for an
    /// address that is malformed or a name; [constant ERR_UNAVAILABLE] if the port is taken by a socket that does not share
    /// it, see [member reuse_address], or no interface has that address; [constant ERR_CANT_CREATE] if the system cannot
    /// create a socket.
    #[cfg(false)]
    #[func]
    fn listen(port: i64, #[opt(default = "*")] bind_address: GString) -> GodotError {}

    /// Reads packets that have arrived and moves each into the queue of its peer; a new sender becomes a pending connection.
    /// To be called often, for instance once a frame; with [member background_receive] it need not be called, and makes no
    /// system call.
    ///
    /// Closes peers that were silent for too long, see [member peer_timeout_msec].
    ///
    /// Returns [constant OK], or [constant ERR_UNCONFIGURED] if this server does not listen. Errors of single packets are
    /// counted, see [method get_stats].
    #[cfg(false)]
    #[func]
    fn poll() -> GodotError {}

    /// Whether there is a pending connection, see [method take_connection].
    #[cfg(false)]
    #[func]
    fn is_connection_available() -> bool {}

    /// Takes the connection that has been pending for longest, as a peer whose packets are queued in it already; `null` if
    /// none is pending.
    ///
    /// [method PacketPeerUdpRs.get_packet_ip] and [method PacketPeerUdpRs.get_packet_port] return its sender at once. Keep a
    /// reference to the peer: without one, it is closed and removed from this server.
    #[cfg(false)]
    #[func]
    fn take_connection() -> Option<Gd<PacketPeerUdpRs>> {}

    /// The peers that were taken and have packets queued now, each once, in the order in which the first of these packets
    /// came. What a frame costs then grows with what has arrived, not with the number of peers:
    ///
    /// ```gdscript
    /// server.poll()
    /// for peer in server.get_ready_peers():
    /// 	for i in peer.get_available_packet_count():
    /// 		print(peer.get_packet_ip(), " sent ", peer.get_packet())
    /// ```
    ///
    /// Reads nothing: without [member background_receive], these are the packets that [method poll] has read. A peer whose
    /// packets are not all taken is returned again by the next call.
    #[cfg(false)]
    #[func]
    fn get_ready_peers() -> Array<Gd<PacketPeerUdpRs>> {}

    /// Sends one packet to many peers of this server, as [method PacketPeer.put_packet] of each would do, in as few system
    /// calls as the platform allows: on Linux and Android one for 64 peers, elsewhere one each. An empty packet is sent too.
    ///
    /// Returns how many the system took. A peer whose address the system refuses is passed over, and the reason is in
    /// [method get_last_error_message]; when the system's send buffer is full, the rest is not sent. Returns -1 and sends
    /// nothing if an element of `peers` is no open peer of this server, or if the server does not listen.
    #[cfg(false)]
    #[func]
    fn put_packet_to(peers: AnyArray, packet: PackedByteArray) -> i64 {}

    /// Ends listening. All peers of this server are closed, pending connections are dropped, and the port is free when this
    /// returns. Does nothing if it does not listen.
    #[cfg(false)]
    #[func]
    fn stop() {}

    /// Whether this server listens.
    #[cfg(false)]
    #[func]
    fn is_listening() -> bool {}

    /// The port that this server listens on; 0, and an error in the log, if it does not.
    #[cfg(false)]
    #[func]
    fn get_local_port() -> i64 {}

    /// How many peers were taken and still belong to this server.
    #[cfg(false)]
    #[func]
    fn get_peer_count() -> i64 {}

    /// What this server and all of its peers have done since it was created, including peers that were closed: the same
    /// numbers as [method PacketPeerUdpRs.get_stats], and
    /// - `packets_dropped_pending`: packets of senders that were not admitted because [member max_pending_connections] were
    ///   pending already, or that were dropped because that was lowered.
    ///
    /// `packets_dropped_queue` counts what full queues of peers have dropped.
    #[cfg(false)]
    #[func]
    fn get_stats() -> VarDictionary {}

    /// Sets everything that [method get_stats] counts to 0, except `conditions_waiting`. The counters of its peers are their own and stay.
    #[cfg(false)]
    #[func]
    fn reset_stats() {}

    /// The system's error code of the last failed call; 0 if no call failed, or the system was not asked. See
    /// [method get_last_error_message].
    #[cfg(false)]
    #[func]
    fn get_last_os_error() -> i64 {}

    /// Why the last failed call failed, in the system's words; `""` if no call failed. A call that succeeds does not clear
    /// it.
    #[cfg(false)]
    #[func]
    fn get_last_error_message() -> GString {}
}

// How these are written, and why they are no `#[func]`s: see `direct.rs`.
direct_methods! {
    UdpServerRs, __godot_UdpServerRs_Funcs;

    mut fn listen(shared, port: i64, bind_address: GString = GString::from("*")) -> GodotError {
        opening::listen(shared, port, &bind_address)
    }

    mut fn poll(shared) -> GodotError {
        if shared.server.poll().is_ok() { GodotError::OK } else { GodotError::ERR_UNCONFIGURED }
    }

    const fn is_connection_available(shared) -> bool {
        shared.server.has_pending()
    }

    mut fn take_connection(shared) -> Option<Gd<PacketPeerUdpRs>> {
        connections::take_connection(shared)
    }

    mut fn get_ready_peers(shared) -> Array<Gd<PacketPeerUdpRs>> {
        connections::get_ready_peers(shared)
    }

    mut fn put_packet_to(shared, peers: AnyArray, packet: PackedByteArray) -> i64 {
        connections::put_packet_to(shared, &peers, &packet)
    }

    mut fn stop(shared) {
        shared.server.stop();
    }

    const fn is_listening(shared) -> bool {
        shared.server.is_listening()
    }

    const fn get_local_port(shared) -> i64 {
        opening::get_server_port(shared)
    }

    const fn get_peer_count(shared) -> i64 {
        count_to_int(shared.server.peers())
    }

    const fn get_stats(shared) -> VarDictionary {
        let stats = shared.server.stats();
        let mut dictionary = stats_dictionary(&stats.all);
        dictionary.set("packets_dropped_pending", counter_to_int(stats.packets_dropped_pending));
        dictionary
    }

    mut fn reset_stats(shared) {
        shared.server.reset_stats();
    }

    const fn get_last_os_error(shared) -> i64 {
        shared.server.last_error().code.into()
    }

    const fn get_last_error_message(shared) -> GString {
        GString::from(&shared.server.last_error().message)
    }

    const fn get_max_pending_connections(shared) -> i64 {
        count_to_int(shared.server.max_pending())
    }

    mut fn set_max_pending_connections(shared, max_pending_connections: i64) {
        options::set_max_pending_connections(shared, max_pending_connections);
    }

    const fn get_peer_timeout_msec(shared) -> i64 {
        counter_to_int(shared.server.peer_timeout_msec())
    }

    mut fn set_peer_timeout_msec(shared, msec: i64) {
        options::set_peer_timeout_msec(shared, msec);
    }

    const fn get_queue_size(shared) -> i64 {
        count_to_int(shared.server.queue_size())
    }

    mut fn set_queue_size(shared, bytes: i64) {
        options::set_peers_queue_size(shared, bytes);
    }

    const fn get_background_receive(shared) -> bool {
        shared.server.background_receive()
    }

    mut fn set_background_receive(shared, enabled: bool) {
        options::set_background_receive(shared, enabled);
    }

    const fn get_reuse_address(shared) -> bool {
        shared.server.option(|options| options.reuse_address)
    }

    mut fn set_reuse_address(shared, enabled: bool) {
        options::set_option(shared, SocketOption::ReuseAddress(enabled));
    }

    const fn get_reuse_port(shared) -> bool {
        shared.server.option(|options| options.reuse_port)
    }

    mut fn set_reuse_port(shared, enabled: bool) {
        options::set_option(shared, SocketOption::ReusePort(enabled));
    }

    const fn get_receive_buffer_size(shared) -> i64 {
        count_to_int(shared.server.receive_buffer_size())
    }

    mut fn set_receive_buffer_size(shared, bytes: i64) {
        options::set_receive_buffer_size(shared, bytes);
    }

    const fn get_send_buffer_size(shared) -> i64 {
        count_to_int(shared.server.send_buffer_size())
    }

    mut fn set_send_buffer_size(shared, bytes: i64) {
        options::set_send_buffer_size(shared, bytes);
    }

    const fn get_time_to_live(shared) -> i64 {
        shared.server.option(|options| hops_to_int(options.time_to_live))
    }

    mut fn set_time_to_live(shared, hops: i64) {
        options::set_time_to_live(shared, hops);
    }

    const fn get_traffic_class(shared) -> i64 {
        shared.server.option(|options| options.traffic_class.into())
    }

    mut fn set_traffic_class(shared, class: i64) {
        options::set_traffic_class(shared, class);
    }

    const fn get_send_conditions(shared) -> Option<Gd<UdpLinkConditions>> {
        links::get_send_conditions(shared)
    }

    mut fn set_send_conditions(shared, conditions: Option<Gd<UdpLinkConditions>>) {
        links::set_send_conditions(shared, conditions);
    }

    const fn get_receive_conditions(shared) -> Option<Gd<UdpLinkConditions>> {
        links::get_receive_conditions(shared)
    }

    mut fn set_receive_conditions(shared, conditions: Option<Gd<UdpLinkConditions>>) {
        links::set_receive_conditions(shared, conditions);
    }
}
