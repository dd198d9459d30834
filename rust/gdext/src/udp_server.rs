//! The class `UdpServerRs`.
//!
//! Its `///` comments are also its pages in the editor's class reference, as those of `PacketPeerUdpRs`.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the class reference's links are not Rust's")]
#![allow(clippy::needless_pass_by_value, reason = "#[func] takes its arguments by value")]

use std::sync::Arc;

use godot::classes::RefCounted;
use godot::global::Error as GodotError;
use godot::prelude::*;
use godot::register::property::PhantomVar;
use packet_peer_udp_core::{Reason, Result, Server, SocketOption};

use crate::convert::{stats_dictionary, to_godot_error, to_int};
use crate::packet_peer::PacketPeerUdpRs;
use crate::properties::{self, BUFFER_RANGE};
use crate::registry::{self, SharedServer};
use crate::report::Limit;

/// UDP server: a drop-in for [UDPServer].
///
/// Listens on a port, and makes a [PacketPeerUdpRs] for everybody who sends to it. It has all of [UDPServer]'s methods, with
/// the same results: to use it, write `UdpServerRs` where a script says `UDPServer`, and `PacketPeerUdpRs` where it says
/// `PacketPeerUDP`.
///
/// ```gdscript
/// var server := UdpServerRs.new()
/// var peers: Array[PacketPeerUdpRs] = []
///
/// func _ready():
///     server.peer_timeout_msec = 10_000
///     if server.listen(4242) != OK:
///         push_error(server.get_last_error_message())
///
/// func _process(_delta):
///     server.poll()
///     while server.is_connection_available():
///         peers.append(server.take_connection())
///     for peer in peers:
///         for i in peer.get_available_packet_count():
///             peer.put_packet(peer.get_packet())  # back to where it came from
///     peers = peers.filter(func(peer): return peer.is_socket_connected())
/// ```
///
/// All peers share the server's socket. It is [method poll] that reads from it; with [member background_receive] a thread of
/// the addon does so all the time. To find the peer that a packet is for takes as long with 10 peers as with 10000. Each peer
/// has a queue of its own, so nobody can fill it for others: 65535 bytes, of which each packet takes its length and 24 more.
/// When it is full, [member PacketPeerUdpRs.overflow_policy] says what is dropped.
///
/// UDP knows no connections: a "connection" here is an address and port that something was received from, and nobody says
/// goodbye. A peer stays with the server, and [method PacketPeerUdpRs.is_socket_connected] is `true`, until
/// [method PacketPeerUdpRs.close] is called on it, nobody refers to it any more (a signal that is connected with `bind(peer)`
/// does refer to it), it was silent for [member peer_timeout_msec], or the server stops. Whoever is heard again after that is
/// a new connection. The count of a closed peer's packets is -1, so write `while peer.get_available_packet_count() > 0`.
///
/// **What such a peer cannot do**, since it has no socket of its own: [method PacketPeerUdpRs.connect_to_host],
/// [method PacketPeerUdpRs.join_multicast_group] and [method PacketPeerUdpRs.send_to] answer [constant ERR_LOCKED],
/// [method PacketPeerUdpRs.bind] [constant ERR_ALREADY_IN_USE], [method PacketPeerUdpRs.put_packet_broadcast] -1. Its
/// destination stays its sender: [method PacketPeerUdpRs.set_dest_address] prints an error. Socket options and
/// [member PacketPeerUdpRs.background_receive] are the server's; [member PacketPeerUdpRs.overflow_policy] is its own.
///
/// **What differs from [UDPServer]:**
/// - A new [member max_pending_connections] drops only the pending connections that are over it, newest first.
/// - [method PacketPeerUdpRs.wait] on a peer reads the server's socket, so it ends when a packet for that peer has come,
///   though nobody polls; and [method stop] ends it.
/// - One [method poll] reads no more than the system's buffer can have held when it was called, however long a flood goes on.
/// - The system is asked for a receive buffer of 4 MiB, so that more survives a long frame.
/// - A port that the system chooses (`listen(0)`) is nobody else's; [UDPServer] may get that of another one, on Linux.
/// - [method get_last_error_message] says in the system's words why something failed.
///
/// **Strangers:** anybody may send from any number of addresses, also from addresses that are not theirs. That fills at most
/// [member max_pending_connections] queues, touches no peer that was taken, and is counted, see [method get_stats]. So look
/// at what a pending connection has sent before you keep its peer, and answer a stranger with no more than you were sent.
///
/// **Threads:** every method may be called from any thread; a peer may be used by another thread than the server.
#[derive(GodotClass)]
#[class(tool, base = RefCounted)]
pub(crate) struct UdpServerRs {
    /// How many connections may be pending: heard, and not yet taken by [method take_connection]. What others send meanwhile
    /// is dropped, and counted as `packets_dropped_pending` by [method get_stats]. With 0 nobody new is let in; peers that
    /// were taken do not count. A pending connection waits for as long as it takes: take also those that you do not want, and
    /// let go of them.
    ///
    /// Where more are pending already, the newest that are too many are dropped, and all that they have sent.
    #[var(get = get_max_pending_connections, set = set_max_pending_connections, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,256,1,or_greater")]
    max_pending_connections: PhantomVar<i64>,
    /// After how many milliseconds of silence a peer that was taken is closed, as by [method PacketPeerUdpRs.close]; 0, the
    /// default, for never. Counted from when the last packet of that peer arrived, whatever it was, or from when it was taken;
    /// what is sent to it does not count, so who only listens has to say something now and then.
    ///
    /// Such a peer has lost its queue and its destination: [method PacketPeer.put_packet] answers [constant ERR_UNCONFIGURED],
    /// [method PacketPeerUdpRs.is_socket_connected] `false`, and [method PacketPeerUdpRs.get_last_error_message] says why.
    ///
    /// [method poll] sees to it after it has read, and with [member background_receive] every frame does (but not
    /// [method PacketPeerUdpRs.wait]), in no time to speak of however many peers there are. So a game that was busy for long
    /// reads first what has arrived meanwhile. Where that was more than the system's buffer holds (Linux tells), nobody is
    /// closed: everybody's time begins anew.
    #[var(get = get_peer_timeout_msec, set = set_peer_timeout_msec, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,60000,1,or_greater,suffix:ms")]
    peer_timeout_msec: PhantomVar<i64>,
    /// Whether packets are received in the background: a thread of the addon moves what arrives into the peers' queues
    /// all the time. So while the game loads or a frame is long, nothing is lost that fits into a peer's queue of 64 KiB,
    /// and receiving costs the game's thread no system call. [method poll] need not be called then. The peers signal
    /// [signal PacketPeerUdpRs.packets_available].
    ///
    /// May be switched at any time, also while packets arrive: none is lost or reordered by it.
    #[var(get = get_background_receive, set = set_background_receive, usage_flags = [EDITOR])]
    background_receive: PhantomVar<bool>,
    /// Whether several sockets that want it may have this port (`SO_REUSEADDR`); as with [UDPServer] they may, by default. On
    /// Linux two servers can then listen on one port, and the last one gets the packets: set it to `false` before
    /// [method listen] to be told that somebody else has the port.
    ///
    /// See [member PacketPeerUdpRs.reuse_address].
    #[var(get = get_reuse_address, set = set_reuse_address, usage_flags = [EDITOR])]
    reuse_address: PhantomVar<bool>,
    /// Whether several sockets of the same user may have this port, if all of them want it (`SO_REUSEPORT`): so several server
    /// processes share the work of one port, on Linux all packets of one sender going to the same. Set it before
    /// [method listen]. Not on Windows. See [member PacketPeerUdpRs.reuse_port].
    #[var(get = get_reuse_port, set = set_reuse_port, usage_flags = [EDITOR])]
    reuse_port: PhantomVar<bool>,
    /// How many bytes the system is asked for as its receive buffer: now, and whenever this server listens again. With 0, the
    /// default, for 4 MiB. While it listens, this reads back what was granted; see
    /// [member PacketPeerUdpRs.receive_buffer_size].
    #[var(get = get_receive_buffer_size, set = set_receive_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    receive_buffer_size: PhantomVar<i64>,
    /// How many bytes the system is asked for as its send buffer; 0 for its default. While this server listens, this reads back
    /// what was granted; see [member PacketPeerUdpRs.send_buffer_size].
    #[var(get = get_send_buffer_size, set = set_send_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    send_buffer_size: PhantomVar<i64>,
    /// How many routers a packet may pass, 1 to 255; 0, the default, for the system's choice. See
    /// [member PacketPeerUdpRs.time_to_live].
    #[var(get = get_time_to_live, set = set_time_to_live, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    time_to_live: PhantomVar<i64>,
    /// The byte that tells routers and the network card how urgent packets are, 0 to 255. See
    /// [member PacketPeerUdpRs.traffic_class].
    #[var(get = get_traffic_class, set = set_traffic_class, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    traffic_class: PhantomVar<i64>,
    shared: Arc<SharedServer>,
    base: Base<RefCounted>,
}

#[godot_api]
impl IRefCounted for UdpServerRs {
    fn init(base: Base<RefCounted>) -> Self {
        Self {
            max_pending_connections: PhantomVar::default(),
            peer_timeout_msec: PhantomVar::default(),
            background_receive: PhantomVar::default(),
            reuse_address: PhantomVar::default(),
            reuse_port: PhantomVar::default(),
            receive_buffer_size: PhantomVar::default(),
            send_buffer_size: PhantomVar::default(),
            time_to_live: PhantomVar::default(),
            traffic_class: PhantomVar::default(),
            shared: registry::new_server(),
            base,
        }
    }
}

impl Drop for UdpServerRs {
    fn drop(&mut self) {
        registry::remove_server(&self.shared);
        // A call in another thread may still hold on to the server; its socket is closed now all the same.
        self.shared.server.stop();
    }
}

// Nothing borrows a server mutably, and nothing here blocks: so `&self` keeps nobody waiting, also where printing runs a
// script that calls the same server. (The engine calls such methods `const`: so those that are not are `gd_self`.)
#[godot_api]
impl UdpServerRs {
    /// Begins to listen on a local `port`.
    ///
    /// With `"*"` as `bind_address` (the default) the server is reachable on every address of the machine, IPv4 and IPv6; with
    /// `"0.0.0.0"` on every IPv4 address, with `"::"` on every IPv6 address, and with the numeric address of one interface on
    /// that alone. With 0 as `port` the system chooses a free one, which [method get_local_port] tells. (As with [UDPServer]
    /// only the lower 16 bits of `port` count.)
    ///
    /// Returns [constant OK]; [constant ERR_ALREADY_IN_USE] if it listens already; [constant ERR_INVALID_PARAMETER] for
    /// an address that is malformed or a name; [constant ERR_UNAVAILABLE] if the port is taken by a socket that does not
    /// share it, see [member reuse_address], or no interface has that address; [constant ERR_CANT_CREATE] if no socket is to
    /// be had.
    #[func(gd_self)]
    fn listen(this: Gd<Self>, port: i64, #[opt(default = "*")] bind_address: GString) -> GodotError {
        let shared = shared(&this);
        let SharedServer { server, reporter } = &*shared;
        let result = server.listen(port, &bind_address.to_string());
        for refusal in server.take_refusals() {
            reporter.print_of_property(refusal.option, &properties::remedy(&refusal.error));
        }
        let error = match result {
            Ok(()) => {
                if u16::try_from(port).is_err() {
                    let text = format!(
                        "port {port} is out of range, so its lower 16 bits count: {}; use 1 to 65535, or 0 for one that the \
                         system chooses.",
                        local_port(server).unwrap_or(0)
                    );
                    reporter.print("listen", Limit::Native, &text);
                }
                return GodotError::OK;
            }
            Err(error) => error,
        };
        let text = match &error.reason {
            Reason::AlreadyOpen => {
                let port = local_port(server).unwrap_or(0);
                Some(format!("the server already listens on port {port}; call stop() first."))
            }
            Reason::InvalidAddress => Some(format!(
                "\"{bind_address}\" is not a numeric IP address; use \"*\" for every interface, or the address of one."
            )),
            Reason::UnknownInterface(_) | Reason::NoScope(_) => Some(format!("{error}.")),
            Reason::NoSocket(_) => Some(format!("{error}. Close sockets or files that are no longer needed.")),
            _ => None,
        };
        if let Some(text) = text {
            reporter.print("listen", Limit::Native, &text);
        }
        to_godot_error(&error)
    }

    /// Reads what has arrived and gives each packet to its peer; whoever is heard for the first time becomes a pending
    /// connection. To be called often, once a frame for instance; with [member background_receive] it need not be called,
    /// and makes no system call.
    ///
    /// Closes peers that were silent for too long, see [member peer_timeout_msec].
    ///
    /// Returns [constant OK], or [constant ERR_UNCONFIGURED] if this server does not listen. Errors of single packets are
    /// counted, see [method get_stats].
    #[func(gd_self)]
    fn poll(this: Gd<Self>) -> GodotError {
        if shared(&this).server.poll().is_ok() { GodotError::OK } else { GodotError::ERR_UNCONFIGURED }
    }

    /// Whether there is a pending connection, see [method take_connection].
    #[func]
    fn is_connection_available(&self) -> bool {
        self.shared.server.has_pending()
    }

    /// Takes the connection that has been pending for longest, as a peer whose packets wait in it already; `null` if none is.
    ///
    /// [method PacketPeerUdpRs.get_packet_ip] and [method PacketPeerUdpRs.get_packet_port] tell at once who it is. Keep the
    /// peer: when nobody refers to it, it is closed, and forgotten by this server.
    #[func(gd_self)]
    fn take_connection(this: Gd<Self>) -> Option<Gd<PacketPeerUdpRs>> {
        let shared = shared(&this);
        let server = &shared.server;
        let peer = server.take()?;
        let object = PacketPeerUdpRs::of(Arc::clone(&peer));
        registry::announce(&object);
        if server.background_receive() {
            peer.note_queued();
        }
        Some(object)
    }

    /// Ends listening. All peers of this server are closed, pending connections are dropped, and the port is free when this
    /// returns. Does nothing if it does not listen.
    #[func(gd_self)]
    fn stop(this: Gd<Self>) {
        shared(&this).server.stop();
    }

    /// Whether this server listens.
    #[func]
    fn is_listening(&self) -> bool {
        self.shared.server.is_listening()
    }

    /// The port that this server listens on; 0, and an error in the log, if it does not.
    #[func]
    fn get_local_port(&self) -> i64 {
        local_port(&self.shared.server).unwrap_or_else(|| {
            let text = "the server does not listen, so it has no port; call listen() first.";
            self.shared.reporter.print("get_local_port", Limit::Native, &text);
            0
        })
    }

    /// How many peers were taken and still belong to this server.
    #[func]
    fn get_peer_count(&self) -> i64 {
        to_int(self.shared.server.peers() as u64)
    }

    /// What this server and all of its peers have done since it was made, those that are gone included: the same numbers as
    /// [method PacketPeerUdpRs.get_stats], and
    /// - `packets_dropped_pending`: packets of those who were not let in because [member max_pending_connections] were pending
    ///   already, or who were dropped because that was lowered.
    ///
    /// `packets_dropped_queue` counts what full queues of peers have given up.
    #[func]
    fn get_stats(&self) -> VarDictionary {
        let stats = self.shared.server.stats();
        let mut dictionary = stats_dictionary(&stats.all);
        dictionary.set("packets_dropped_pending", to_int(stats.packets_dropped_pending));
        dictionary
    }

    /// The system's code of what the last failed call ran into; 0 if none failed, or the system was not asked. See
    /// [method get_last_error_message].
    #[func]
    fn get_last_os_error(&self) -> i64 {
        self.shared.server.last_error().code.into()
    }

    /// What the last failed call ran into, in the system's words; `""` if none failed. Calls that succeed do not clear it.
    #[func]
    fn get_last_error_message(&self) -> GString {
        GString::from(&self.shared.server.last_error().message)
    }

    #[func]
    fn get_max_pending_connections(&self) -> i64 {
        to_int(self.shared.server.max_pending() as u64)
    }

    #[func]
    fn set_max_pending_connections(&self, max_pending_connections: i64) {
        let result = self.shared.server.set_max_pending(max_pending_connections);
        self.explain("max_pending_connections", result, "use 0 to 4294967295; 0 lets nobody new in");
    }

    #[func]
    fn get_peer_timeout_msec(&self) -> i64 {
        to_int(self.shared.server.peer_timeout_msec())
    }

    #[func]
    fn set_peer_timeout_msec(&self, msec: i64) {
        let result = self.shared.server.set_peer_timeout_msec(msec);
        self.explain("peer_timeout_msec", result, "use 0 to 4294967295; 0 for never");
    }

    #[func]
    fn get_background_receive(&self) -> bool {
        self.shared.server.background_receive()
    }

    #[func]
    fn set_background_receive(&self, enabled: bool) {
        self.explain("background_receive", self.shared.server.set_background_receive(enabled), "");
    }

    #[func]
    fn get_reuse_address(&self) -> bool {
        self.shared.server.option(|options| options.reuse_address)
    }

    #[func]
    fn set_reuse_address(&self, enabled: bool) {
        self.set_option(SocketOption::ReuseAddress(enabled));
    }

    #[func]
    fn get_reuse_port(&self) -> bool {
        self.shared.server.option(|options| options.reuse_port)
    }

    #[func]
    fn set_reuse_port(&self, enabled: bool) {
        self.set_option(SocketOption::ReusePort(enabled));
    }

    #[func]
    fn get_receive_buffer_size(&self) -> i64 {
        to_int(self.shared.server.receive_buffer_size() as u64)
    }

    #[func]
    fn set_receive_buffer_size(&self, bytes: i64) {
        self.explain("receive_buffer_size", self.shared.server.set_receive_buffer_size(bytes), BUFFER_RANGE);
    }

    #[func]
    fn get_send_buffer_size(&self) -> i64 {
        to_int(self.shared.server.send_buffer_size() as u64)
    }

    #[func]
    fn set_send_buffer_size(&self, bytes: i64) {
        self.explain("send_buffer_size", self.shared.server.set_send_buffer_size(bytes), BUFFER_RANGE);
    }

    #[func]
    fn get_time_to_live(&self) -> i64 {
        self.shared.server.option(|options| options.time_to_live)
    }

    #[func]
    fn set_time_to_live(&self, hops: i64) {
        self.set_option(SocketOption::TimeToLive(hops));
    }

    #[func]
    fn get_traffic_class(&self) -> i64 {
        self.shared.server.option(|options| options.traffic_class)
    }

    #[func]
    fn set_traffic_class(&self, class: i64) {
        self.set_option(SocketOption::TrafficClass(class));
    }
}

impl UdpServerRs {
    fn set_option(&self, option: SocketOption) {
        let (property, range) = (option.name(), properties::range(&option));
        self.explain(property, self.shared.server.set_option(option), range);
    }

    fn explain(&self, property: &'static str, result: Result<()>, range: &str) {
        properties::explain(&self.shared.reporter, property, result, range);
    }
}

fn shared(object: &Gd<UdpServerRs>) -> Arc<SharedServer> {
    Arc::clone(&object.bind().shared)
}

/// `None` where it does not listen.
fn local_port(server: &Server) -> Option<i64> {
    server.local_addr().map(|address| address.port().into())
}
