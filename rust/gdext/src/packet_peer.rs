//! The class `PacketPeerUdpRs`.
//!
//! Its `///` comments are also its pages in the editor's class reference: Markdown, with Godot's `[method name]`,
//! `[member name]` and `[constant name]` links.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the class reference's links are not Rust's")]
#![allow(clippy::needless_pass_by_value, reason = "#[func] takes its arguments by value")]

use std::fmt::Display;
use std::io::ErrorKind;
use std::sync::Arc;

use godot::classes::PacketPeerExtension;
use godot::global::Error as GodotError;
use godot::prelude::*;
use godot::register::property::PhantomVar;
use godot::sys;
use packet_peer_udp_core::{
    DestinationChange, Error, Operation, OverflowPolicy, Peer, Reason, Resolved, SocketOption, Taking, WaitEnd,
    format_address,
};

use crate::arrays::{Joined, Packets};
use crate::convert::{stats_dictionary, to_godot_error, to_int};
use crate::properties::{self, BUFFER_RANGE};
use crate::registry::{self, Shared};
use crate::report::Limit;

/// UDP packet peer: a drop-in for [PacketPeerUDP].
///
/// Sends and receives UDP packets and [Variant]s. It has all of [PacketPeerUDP]'s methods, with the same results, and
/// everything that it inherits from [PacketPeer] works as it does there: to use it, write `PacketPeerUdpRs` where a
/// script says `PacketPeerUDP`.
///
/// ```gdscript
/// var peer := PacketPeerUdpRs.new()
///
/// func _ready():
///     if peer.bind(4433) != OK:
///         push_error(peer.get_last_error_message())
///
/// func _process(_delta):
///     for i in peer.get_available_packet_count():
///         var packet := peer.get_packet()
///         print(peer.get_packet_ip(), ":", peer.get_packet_port(), " sent ", packet.get_string_from_utf8())
/// ```
///
/// **What differs from [PacketPeerUDP]:**
/// - A closed peer holds nothing: after the next [method bind] no packet from before is read.
/// - [method connect_to_host] leaves no phantom packets behind, and also takes a host name.
/// - [method wait] takes a timeout, is ended by [method close] and by [method interrupt_wait], and returns at once when
///   packets are queued already.
/// - An answer that a packet was refused (ICMP) does not disturb waiting, counting or the next send.
/// - When the system's send buffer is full, [method PacketPeer.put_packet] returns [constant ERR_BUSY]; it does not spin.
/// - One call reads a bounded amount, so a flood of packets never stalls a frame.
/// - `recv_buf_size` reaches the operating system too, so more packets survive a long frame.
/// - [method get_packet_ip] of a link-local IPv6 sender ends in its interface, so that it can be answered.
/// - Once it has joined a multicast group, a peer receives no groups that only others have joined.
/// - [method get_last_error_message] says in the system's words why something failed.
///
/// What all peers of the game do is shown in the editor's debugger, under *Monitors*, and to scripts by
/// [method Performance.get_custom_monitor]: `udp_rs/packets_in_per_sec`, `udp_rs/packets_out_per_sec`,
/// `udp_rs/bytes_in_per_sec`, `udp_rs/bytes_out_per_sec` (in the last full second) and `udp_rs/packets_dropped` (since the
/// start); they change once a second.
///
/// Beyond that, names are resolved without blocking ([method connect_to_host_async]), [method put_packet_broadcast] reaches
/// every network of this machine, and the socket's options are properties.
///
/// **Sending:** set a destination with [method set_dest_address] (or connect), then call [method PacketPeer.put_packet] or
/// [method PacketPeer.put_var]. That opens the peer if it is not open, for IPv4 or IPv6 as the address has it; [method bind] it
/// to port 0 first to reach both. A packet holds up to 65507 bytes; an empty one is
/// not sent. Returns [constant OK] when the system took the packet (UDP does not tell whether it arrived);
/// [constant ERR_UNCONFIGURED] without a destination; [constant ERR_BUSY] if the system's send buffer is full, so try
/// again in the next frame; [constant FAILED] if the system refuses, with the reason in [method get_last_error_message].
///
/// **Receiving:** [method PacketPeer.get_packet] and [method PacketPeer.get_var] take the oldest packet. Where it came from
/// is then in [method get_packet_ip] and [method get_packet_port]. [method get_packets] takes all at once, which is much
/// cheaper, and with [member background_receive] nothing is lost while the game is busy.
///
/// **Servers:** to talk to each of many senders by a peer of its own, use [UdpServerRs]. Its peers are of this class, but have
/// no socket of their own; its reference says what they cannot do.
///
/// **Threads:** every method may be called from any thread. The one exception is the engine's own:
/// [method PacketPeer.put_var] must not be called by several threads at once on one peer.
///
/// **Note:** it is a [PacketPeer], but not a [PacketPeerUDP]. A variable of that type, `is PacketPeerUDP`, and engine
/// classes that want exactly that type ([PacketPeerDTLS], [DTLSServer]) do not accept it.
///
/// **Note:** on Android, enable the `INTERNET` permission in the export preset; to receive multicast or
/// broadcast there, an app must also hold a multicast lock. iOS and macOS ask the player before a game may use the local
/// network; Windows' firewall asks when a game first listens.
#[derive(GodotClass)]
#[class(tool, init, base = PacketPeerExtension)]
pub(crate) struct PacketPeerUdpRs {
    /// Whether packets are received in the background: a thread of the addon moves what arrives into this peer's queue all
    /// the time, so nothing is lost while the game loads or a frame is long, and receiving costs the game's thread no
    /// system call. One thread serves all peers that want it, and sleeps while nothing arrives.
    ///
    /// How much the queue holds is said to [method bind]; when it is full, [member overflow_policy] says what is dropped.
    /// May be switched at any time, also while packets arrive: none is lost or reordered by it. Signals
    /// [signal packets_available].
    #[var(get = get_background_receive, set = set_background_receive, usage_flags = [EDITOR])]
    background_receive: PhantomVar<bool>,
    /// What a full queue drops: [constant DROP_NEWEST] or [constant DROP_OLDEST]. Each dropped packet is counted, see
    /// [method get_stats].
    ///
    /// Without [member background_receive] and with [constant DROP_NEWEST] a full queue is simply not read into: packets
    /// wait in the system's buffer, and what does not fit there is dropped by the system.
    #[var(get = get_overflow_policy, set = set_overflow_policy, usage_flags = [EDITOR], hint = ENUM, hint_string = "Drop newest,Drop oldest")]
    overflow_policy: PhantomVar<i64>,
    /// How many bytes the system is asked for as its receive buffer: now, and whenever this peer is opened again. With 0,
    /// the default, [method bind] asks for what its `recv_buf_size` says, and never for less than the system's default.
    ///
    /// While this peer is open, this reads back what the system really granted, in its own figure: Linux counts its
    /// overhead too, and for that doubles what it is asked for; it grants `net.core.rmem_max` at most, and not less than a
    /// few KiB.
    #[var(get = get_receive_buffer_size, set = set_receive_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    receive_buffer_size: PhantomVar<i64>,
    /// How many bytes the system is asked for as its send buffer; 0 for its default. Otherwise as
    /// [member receive_buffer_size]; Linux grants `net.core.wmem_max` at most.
    #[var(get = get_send_buffer_size, set = set_send_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    send_buffer_size: PhantomVar<i64>,
    /// Whether several sockets may have this port: this one and others that want it too, of this program or another
    /// (`SO_REUSEADDR`). So several LAN browsers run on one machine. Multicasts and broadcasts then reach all of them; what is
    /// sent to this machine's own address reaches one, on Linux the one that was bound last.
    ///
    /// Set it before [method bind]: on Linux, a socket that is open already shares its port from then on, on Windows it
    /// refuses. What exactly may be shared is the platform's rule: macOS wants [member reuse_port] for sockets of the
    /// same address.
    #[var(get = get_reuse_address, set = set_reuse_address, usage_flags = [EDITOR])]
    reuse_address: PhantomVar<bool>,
    /// Whether several sockets of the same user may have this port, if all of them want it (`SO_REUSEPORT`). Linux deals what
    /// comes in out to them, all packets of one sender to the same; so several threads or processes can share the work of one
    /// port.
    ///
    /// Set it before [method bind]. Windows has no such option: setting it there prints an error.
    #[var(get = get_reuse_port, set = set_reuse_port, usage_flags = [EDITOR])]
    reuse_port: PhantomVar<bool>,
    /// How many routers a packet may pass, 1 to 255 (`IP_TTL`, `IPV6_UNICAST_HOPS`); with 0, the default, as many as the
    /// system thinks right, mostly 64 or 128. NAT punching uses a small one to open its own router's door and go no further.
    /// For multicast there is [member multicast_time_to_live].
    #[var(get = get_time_to_live, set = set_time_to_live, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    time_to_live: PhantomVar<i64>,
    /// The byte that tells routers and the network card how urgent packets are, 0 to 255 (`IP_TOS`, `IPV6_TCLASS`): the upper
    /// six bits are the DSCP, so 184 (46 << 2) is "expedited forwarding", as voice has it. Home networks mostly heed it only
    /// on Wi-Fi; on the internet hardly anyone does.
    ///
    /// **Note:** Windows marks packets only through a service of its own: there it has no effect, or prints an error.
    #[var(get = get_traffic_class, set = set_traffic_class, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    traffic_class: PhantomVar<i64>,
    /// How many networks a multicast that this peer sends may enter, 0 to 255 (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`): 0
    /// keeps it on this machine, 1, the default, on this network.
    #[var(get = get_multicast_time_to_live, set = set_multicast_time_to_live, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    multicast_time_to_live: PhantomVar<i64>,
    /// Whether members on this machine, this peer among them, receive the multicasts that this peer sends
    /// (`IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP`).
    ///
    /// **Note:** on Windows it is the receiver's setting that counts for IPv4.
    #[var(get = get_multicast_loopback, set = set_multicast_loopback, usage_flags = [EDITOR])]
    multicast_loopback: PhantomVar<bool>,
    /// The interface by which multicasts that this peer sends leave (`IP_MULTICAST_IF`, `IPV6_MULTICAST_IF`): a name as
    /// [method IP.get_local_interfaces] gives it. With `""`, the default, the system picks one. To send by every interface,
    /// set one after the other and send each time, or have a peer for each.
    ///
    /// What is received is decided by [method join_multicast_group]. A name that no interface has is refused, and so is, on
    /// an open IPv4 peer, one without an IPv4 address. An interface that was taken away and has come back (a cable, a phone,
    /// a VPN) has to be set again.
    #[var(get = get_multicast_interface, set = set_multicast_interface, usage_flags = [EDITOR], hint = PLACEHOLDER_TEXT, hint_string = "the system's choice")]
    multicast_interface: PhantomVar<GString>,
    shared: Arc<Shared>,
    base: Base<PacketPeerExtension>,
}

impl PacketPeerUdpRs {
    /// An object for a peer that a server has made.
    pub(crate) fn of(peer: Arc<Peer>) -> Gd<Self> {
        Gd::from_init_fn(|base| Self {
            background_receive: PhantomVar::default(),
            overflow_policy: PhantomVar::default(),
            receive_buffer_size: PhantomVar::default(),
            send_buffer_size: PhantomVar::default(),
            reuse_address: PhantomVar::default(),
            reuse_port: PhantomVar::default(),
            time_to_live: PhantomVar::default(),
            traffic_class: PhantomVar::default(),
            multicast_time_to_live: PhantomVar::default(),
            multicast_loopback: PhantomVar::default(),
            multicast_interface: PhantomVar::default(),
            shared: Arc::new(Shared::of(peer)),
            base,
        })
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// The engine's object.
    pub(crate) fn object(&self) -> sys::GDExtensionObjectPtr {
        self.base.obj_sys()
    }
}

impl Drop for PacketPeerUdpRs {
    fn drop(&mut self) {
        registry::remove(&self.shared);
        // A call in another thread may still hold on to the peer; the socket is closed now all the same.
        self.shared.peer.close();
    }
}

pub(crate) const NO_DESTINATION: &str = "there is no destination; call set_dest_address() or connect_to_host() first. (A peer \
     that its server has closed because it was silent has lost its own: let go of it.)";

/// What to do about a call that a server's peer does not take.
const OF_SERVER: &str = "the peer belongs to a server, and talks to its one client; use another PacketPeerUdpRs for that. \
     (close() would end this connection.)";

pub(crate) const OTHER_FAMILY: &str = "Bind the peer to \"*\" to reach both IPv4 and IPv6, or call close() first.";

#[godot_api]
impl PacketPeerUdpRs {
    /// When the queue is full, packets that arrive are dropped.
    #[constant]
    const DROP_NEWEST: i64 = 0;

    /// When the queue is full, the packets that have waited longest are dropped.
    #[constant]
    const DROP_OLDEST: i64 = 1;

    /// Emitted on the main thread, at most once a frame, when packets have arrived since it was last emitted. `count` is how
    /// many are queued. Only with [member background_receive].
    ///
    /// A handler that leaves packets in the queue hears of them again only when more arrive: take all, or look again in
    /// `_process()`.
    #[signal]
    fn packets_available(count: i64);

    /// Emitted on the main thread, at the end of a frame, when a [method set_dest_address_async] or
    /// [method connect_to_host_async] is done: once for each that returned [constant OK] and was not cancelled. By then it has
    /// taken effect. A look-up that was cancelled, or whose peer was freed, emits nothing: who awaits it goes on with the next
    /// one, or never.
    ///
    /// ```gdscript
    /// if peer.connect_to_host_async("play.example.com", 4433) == OK:
    ///     var answer: Array = await peer.host_resolved  # [error, ip]
    /// ```
    ///
    /// `error` is what [method set_dest_address] or [method connect_to_host] would have returned: [constant OK];
    /// [constant ERR_CANT_RESOLVE] if there is no such host, or nobody who knows; [constant FAILED] if the system refuses to
    /// connect to the address, and then this peer is closed; [constant ERR_LOCKED] if the destination of a connected peer was
    /// to be set. `ip` is the address that was found, written as [method get_packet_ip] writes; empty if none was.
    #[signal]
    fn host_resolved(error: GodotError, ip: GString);

    /// Opens this peer on a local `port`, so that it can receive packets.
    ///
    /// With `"*"` as `bind_address` (the default) the peer is reachable on every address of the machine, IPv4 and IPv6.
    /// With `"0.0.0.0"` it is on every IPv4 address, with `"::"` on every IPv6 address, and with the numeric address of
    /// one interface it is on that alone. `port` is 0 to 65535; 0 lets the system choose a free port, which
    /// [method get_local_port] tells.
    ///
    /// Packets that have arrived wait in a queue until they are taken. `recv_buf_size` says how many bytes it holds; it is
    /// rounded up to the next power of two above it, and to 65536 at least, and each packet costs its length and 24 bytes
    /// more. When the queue is full, packets wait in the system's own receive buffer, which is asked to be as large (the
    /// system sets a limit: `net.core.rmem_max` on Linux). What fits in neither is dropped by the system, newest first. With
    /// [member background_receive] the queue has to hold all: see [member overflow_policy].
    ///
    /// Returns [constant OK]; [constant ERR_ALREADY_IN_USE] if this peer is open already;
    /// [constant ERR_INVALID_PARAMETER] for a port out of range or a text that is no numeric address;
    /// [constant ERR_UNAVAILABLE] if the port is taken or no interface has the address (see
    /// [method get_last_error_message]); [constant ERR_CANT_CREATE] if the system has no socket to give.
    #[func(gd_self)]
    fn bind(
        this: Gd<Self>,
        port: i64,
        #[opt(default = "*")] bind_address: GString,
        #[opt(default = 65536)] recv_buf_size: i64,
    ) -> GodotError {
        let shared = registry::of(&this);
        let result = shared.peer.bind(port, &bind_address.to_string(), recv_buf_size);
        answer(&shared, "bind", result, |error| match &error.reason {
            Reason::AlreadyOpen if shared.peer.is_served() => Some(OF_SERVER.to_owned()),
            Reason::AlreadyOpen => {
                let port = local_port(&shared).unwrap_or(0);
                Some(format!("the peer is already open on port {port}; call close() first."))
            }
            Reason::InvalidPort(port) => {
                Some(format!("port {port} is out of range; use 1 to 65535, or 0 for one that the system chooses."))
            }
            Reason::InvalidAddress => Some(format!(
                "\"{bind_address}\" is not a numeric IP address; use \"*\" for every interface, or the address of one."
            )),
            Reason::UnknownInterface(name) => Some(no_such_scope(name, &bind_address)),
            Reason::NoScope(_) => Some(format!("{error}.")),
            Reason::NoSocket(_) => Some(no_socket(error)),
            _ => None,
        })
    }

    /// Closes this peer. When this returns, its port can be bound again (but not a server's), nothing is queued, and
    /// every [method wait] in progress, on any thread, returns [constant ERR_UNAVAILABLE].
    ///
    /// The destination (also one that was connected to), [method get_packet_ip] and [method get_packet_port], and all
    /// options are kept. Closing a closed peer does nothing.
    #[func(gd_self)]
    fn close(this: Gd<Self>) {
        registry::of(&this).peer.close();
    }

    /// Connects this peer to one `host` and `port` (1 to 65535): packets are sent there, and packets from anyone else
    /// are not received. Opens the peer if it is not open; packets that were queued are dropped.
    ///
    /// `host` is a numeric address, or a host name, which is resolved in the call: that may block for seconds, so for names
    /// there is [method connect_to_host_async]. A link-local IPv6 address needs its interface: `fe80::1%eth0`. UDP has no
    /// handshake; that this returns [constant OK] does not mean that anybody listens there.
    ///
    /// Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for a port out of range or a text that can be neither
    /// address nor name; [constant ERR_CANT_RESOLVE] for a name that does not resolve; [constant ERR_UNAVAILABLE] if
    /// [method close] or a newer call of this kind came while the name was looked up; [constant ERR_CANT_OPEN] if the
    /// system has no socket to give; [constant FAILED] if it refuses to connect, and then the peer is closed.
    #[func(gd_self)]
    fn connect_to_host(this: Gd<Self>, host: GString, port: i64) -> GodotError {
        let shared = registry::of(&this);
        let result = shared.peer.connect(&host.to_string(), port);
        answer(&shared, "connect_to_host", result, |error| connect_remedy(error, &host))
    }

    /// Connects as [method connect_to_host] does, but returns at once also where `host` is a name that must be looked up: the
    /// game goes on, and [signal host_resolved] tells when it is done.
    ///
    /// ```gdscript
    /// func _ready():
    ///     peer.host_resolved.connect(_on_host_resolved)
    ///     peer.connect_to_host_async("play.example.com", 4433)
    ///
    /// func _on_host_resolved(error, ip):
    ///     if error == OK:
    ///         peer.put_var("hello")
    ///     else:
    ///         push_error(peer.get_last_error_message())
    /// ```
    ///
    /// A newer call of [method set_dest_address], [method connect_to_host] or their `_async` namesakes, and [method close],
    /// cancel it: then nothing happens, and no signal is emitted. A numeric address, or a name that was resolved in the last
    /// five minutes, is connected to within the call. However many peers look up names, eight are looked up at a time.
    ///
    /// Returns [constant OK] if the look-up has begun or was not needed. Else there is no signal:
    /// [constant ERR_INVALID_PARAMETER] for a port out of range or a text that can be neither address nor name;
    /// [constant ERR_CANT_CREATE] if the system has no thread to give.
    #[func(gd_self)]
    fn connect_to_host_async(this: Gd<Self>, host: GString, port: i64) -> GodotError {
        registry::announce(&this);
        let shared = registry::of(&this);
        let result = shared.peer.connect_async(&host.to_string(), port);
        answer_in(Limit::Ours, &shared, "connect_to_host_async", result, |error| connect_remedy(error, &host))
    }

    /// Returns the local port of this peer, 0 if it is not open or has none yet.
    #[func(gd_self)]
    fn get_local_port(this: Gd<Self>) -> i64 {
        let shared = registry::of(&this);
        local_port(&shared).unwrap_or_else(|| {
            complain(&shared, "get_local_port", &"the peer is not open, so it has no port; call bind() first.");
            0
        })
    }

    /// Returns the address that the last packet taken came from; an empty string before the first.
    ///
    /// IPv4 addresses are written plainly, IPv6 addresses as eight groups (`0:0:0:0:0:0:0:1`). A link-local IPv6 address
    /// ends in the interface that it is good on (`fe80:0:0:0:0:0:0:1%eth0`, on Windows its number), and may be handed as
    /// it is to [method set_dest_address], [method connect_to_host] or [method send_to]. If several threads take packets
    /// from one peer, this is about the last packet that any of them took: where each needs to know the sender of its
    /// own, they must take turns (with a [Mutex]).
    #[func(gd_self)]
    fn get_packet_ip(this: Gd<Self>) -> GString {
        match registry::of(&this).peer.last_taken() {
            Some(stamp) => GString::from(&format_address(stamp.sender())),
            None => GString::new(),
        }
    }

    /// Returns the port that the last packet taken came from; 0 before the first.
    #[func(gd_self)]
    fn get_packet_port(this: Gd<Self>) -> i64 {
        registry::of(&this).peer.last_taken().map_or(0, |stamp| stamp.sender().port().into())
    }

    /// Returns whether this peer is open: by [method bind], or by connecting, sending or joining a group.
    #[func(gd_self)]
    fn is_bound(this: Gd<Self>) -> bool {
        registry::of(&this).peer.is_open()
    }

    /// Returns whether this peer is connected by [method connect_to_host], or belongs to an [UdpServerRs]. Of a server's
    /// peer it tells whether it still does.
    #[func(gd_self)]
    fn is_socket_connected(this: Gd<Self>) -> bool {
        registry::of(&this).peer.is_connected()
    }

    /// Joins the multicast group `multicast_address` on an interface, opening the peer if it is not open.
    ///
    /// `interface_name` is a name as [method IP.get_local_interfaces] gives it, or `""` to let the
    /// system choose. To receive packets sent to a port, [method bind] to that port first. A peer may be in several groups,
    /// and in one group on several interfaces: join it on each. From then on nothing is received that is sent to other groups,
    /// or comes in by other interfaces; an IPv6 group that was joined with `""` is received by every interface on which some
    /// socket of the machine has joined it. (On Linux, a peer that has joined none receives what other sockets have joined.)
    ///
    /// Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for a text that is no address, an interface that is
    /// unknown or has no IPv4 address (IPv4 groups), or a group of the other address family than the socket;
    /// [constant FAILED] if the system refuses: the address is no group, or it was joined already.
    ///
    /// **Note:** on Android, receiving multicast needs the `CHANGE_WIFI_MULTICAST_STATE` permission and a
    /// multicast lock held by the app.
    #[func(gd_self)]
    fn join_multicast_group(this: Gd<Self>, multicast_address: GString, interface_name: GString) -> GodotError {
        let shared = registry::of(&this);
        let result = shared.peer.join_group(&multicast_address.to_string(), &interface_name.to_string());
        answer(&shared, "join_multicast_group", result, |error| Some(group_remedy(error)))
    }

    /// Leaves the multicast group `multicast_address` on the interface on which it was joined. [method close]
    /// leaves all groups.
    ///
    /// Returns [constant OK]; [constant ERR_UNCONFIGURED] if this peer is not open; [constant FAILED] if the group was
    /// not joined there; else as [method join_multicast_group].
    #[func(gd_self)]
    fn leave_multicast_group(this: Gd<Self>, multicast_address: GString, interface_name: GString) -> GodotError {
        let shared = registry::of(&this);
        let result = shared.peer.leave_group(&multicast_address.to_string(), &interface_name.to_string());
        answer(&shared, "leave_multicast_group", result, |error| Some(group_remedy(error)))
    }

    /// Allows or forbids sending to IPv4 broadcast addresses, such as `255.255.255.255`: now, and whenever
    /// this peer is opened again. Off by default; sending to one then fails.
    ///
    /// **Note:** receiving broadcasts needs nothing but [method bind]; on Android also a multicast lock.
    #[func(gd_self)]
    fn set_broadcast_enabled(this: Gd<Self>, enabled: bool) {
        let shared = registry::of(&this);
        match shared.peer.set_broadcast(enabled) {
            Ok(()) => {}
            Err(Error { reason: Reason::Served, .. }) => complain(&shared, "set_broadcast_enabled", &OF_SERVER),
            Err(error) => {
                complain(&shared, "set_broadcast_enabled", &format_args!("the system refuses: {error}"));
            }
        }
    }

    /// Sets the destination of [method PacketPeer.put_packet] and [method PacketPeer.put_var]. It is kept when this peer
    /// is closed, and may be set before it is opened.
    ///
    /// `host` is a numeric address, or a host name, which is resolved in the call: that may block for seconds, so for names
    /// there is [method set_dest_address_async] (an answer is remembered for five minutes). If a name has several addresses,
    /// the first that this peer's socket can send to is taken. A link-local IPv6 address needs its interface:
    /// `fe80::1%eth0`. Of `port` only the lower 16 bits count, as in [PacketPeerUDP]; sending to port 0 fails.
    ///
    /// Returns [constant OK]; [constant ERR_CANT_RESOLVE] for a text that does not resolve, and the destination stays
    /// what it was; [constant ERR_UNAVAILABLE] if another thread set a destination while the name was looked up. On a
    /// connected peer this prints an error and changes nothing.
    #[func(gd_self)]
    fn set_dest_address(this: Gd<Self>, host: GString, port: i64) -> GodotError {
        let shared = registry::of(&this);
        match shared.peer.set_destination(&host.to_string(), port) {
            Ok(DestinationChange::Set) => GodotError::OK,
            Ok(DestinationChange::Connected) => {
                complain(&shared, "set_dest_address", &fixed_destination(&shared, &host, port));
                GodotError::OK
            }
            Err(error) => to_godot_error(&error),
        }
    }

    /// Sets the destination as [method set_dest_address] does, but returns at once also where `host` is a name that must be
    /// looked up: the game goes on, and [signal host_resolved] tells when it is done; until then packets go where they went
    /// before. See [method connect_to_host_async].
    ///
    /// Returns [constant OK] if the look-up has begun or was not needed. Else there is no signal:
    /// [constant ERR_CANT_RESOLVE] for a text that can be neither address nor name; [constant ERR_CANT_CREATE] if the
    /// system has no thread to give. On a connected peer this prints an error and leaves the destination as it is, and
    /// the signal says [constant ERR_LOCKED].
    #[func(gd_self)]
    fn set_dest_address_async(this: Gd<Self>, host: GString, port: i64) -> GodotError {
        registry::announce(&this);
        let shared = registry::of(&this);
        match shared.peer.set_destination_async(&host.to_string(), port) {
            Ok(DestinationChange::Set) => GodotError::OK,
            Ok(DestinationChange::Connected) => {
                let text = fixed_destination(&shared, &host, port);
                shared.reporter.print("set_dest_address_async", Limit::Ours, &text);
                GodotError::OK
            }
            Err(error) => answer_in(Limit::Ours, &shared, "set_dest_address_async", Err(error), |error| {
                resolve_remedy(error, &host)
            }),
        }
    }

    /// Returns whether a name is being looked up for [method set_dest_address_async] or [method connect_to_host_async]. It
    /// becomes `false` as soon as the answer has taken effect; [signal host_resolved] follows.
    #[func(gd_self)]
    fn is_resolving(this: Gd<Self>) -> bool {
        registry::of(&this).peer.is_resolving()
    }

    /// Blocks the calling thread until a packet can be taken, at most for `timeout_msec` milliseconds (-1, the
    /// default: as long as it takes; 0: only looks). Uses no processor time while it waits.
    ///
    /// Meant for a [Thread] of your own. Several threads may wait on one peer, and while they do, every other method
    /// works on any thread as if nobody waited.
    ///
    /// ```gdscript
    /// var peer := PacketPeerUdpRs.new()
    /// var thread := Thread.new()
    ///
    /// func _ready():
    ///     if peer.bind(4433) == OK:
    ///         thread.start(_receive)
    ///
    /// func _receive():
    ///     while peer.wait() == OK:
    ///         for i in peer.get_available_packet_count():
    ///             print(peer.get_packet())
    ///
    /// func _exit_tree():
    ///     peer.interrupt_wait()
    ///     if thread.is_started():
    ///         thread.wait_to_finish()
    /// ```
    ///
    /// A peer of an [UdpServerRs] reads the server's socket meanwhile, for all peers of the server: they get their packets, and
    /// newcomers become pending, though nobody polls.
    ///
    /// Returns [constant OK] when a packet can be taken, at once if one is queued already; [constant ERR_TIMEOUT] when the
    /// time is over; [constant ERR_SKIP] after [method interrupt_wait]; [constant ERR_UNAVAILABLE] when the peer was
    /// closed meanwhile; [constant ERR_UNCONFIGURED] if it is not open; [constant ERR_INVALID_PARAMETER] for a timeout
    /// below -1.
    ///
    /// **Note:** a thread in here keeps the peer alive, and its port taken, even if every variable that held it is gone.
    /// End all waits ([method close], [method interrupt_wait]) and join their threads
    /// before the game quits; the engine reports the peers of threads that still run then as leaked.
    #[func(gd_self)]
    fn wait(this: Gd<Self>, #[opt(default = -1)] timeout_msec: i64) -> GodotError {
        let shared = registry::of(&this);
        let end = match shared.peer.wait_msec(timeout_msec) {
            Ok(end) => end,
            Err(error) => {
                return answer(&shared, "wait", Err(error), |error| {
                    Some(match error.reason {
                        Reason::InvalidTimeout(msec) => {
                            format!("timeout_msec is {msec}; use -1 to wait as long as it takes, or 0 and more.")
                        }
                        Reason::NotOpen => {
                            "the peer is not open, so there is nothing to wait for; call bind() first, or see why it failed."
                                .to_owned()
                        }
                        // No descriptors for what a wait needs.
                        _ => no_socket(error),
                    })
                });
            }
        };
        match end {
            WaitEnd::Ready => GodotError::OK,
            WaitEnd::TimedOut => GodotError::ERR_TIMEOUT,
            WaitEnd::Interrupted => GodotError::ERR_SKIP,
            WaitEnd::Closed => GodotError::ERR_UNAVAILABLE,
        }
    }

    /// Reads what has arrived into this peer's queue. Never needed: every method that looks at the queue does it. It is
    /// there for scripts written for engines whose [PacketPeerUDP] has such a method. For the peers of an [UdpServerRs] it does
    /// nothing: [method UdpServerRs.poll] reads for them.
    ///
    /// Returns [constant OK], or [constant FAILED] if this peer is not open.
    #[func(gd_self)]
    fn poll(this: Gd<Self>) -> GodotError {
        let shared = registry::of(&this);
        match shared.peer.poll() {
            Ok(_) => GodotError::OK,
            Err(error) => {
                let remedy = "the peer is not open; call bind() first.";
                shared.reporter.print("poll", Limit::Ours, &remedy);
                to_godot_error(&error)
            }
        }
    }

    /// Ends every [method wait] in progress on this peer, on any thread, with [constant ERR_SKIP]. If no thread is waiting,
    /// the next [method wait] returns [constant ERR_SKIP] at once instead of waiting. So a thread is woken whether it had
    /// begun to wait or was just about to. Opening this peer again forgets such an interruption.
    #[func(gd_self)]
    fn interrupt_wait(this: Gd<Self>) {
        registry::of(&this).peer.interrupt_wait();
    }

    /// Returns the local address of this peer, written as [method get_packet_ip] writes; an empty string if it is not
    /// open. A peer bound to every address has `0:0:0:0:0:0:0:0` (or `0.0.0.0`, IPv4 only); the addresses that others can
    /// reach this machine at are in [method IP.get_local_addresses].
    #[func(gd_self)]
    fn get_local_address(this: Gd<Self>) -> GString {
        match registry::of(&this).peer.local_addr() {
            Some(address) => GString::from(&format_address(address)),
            None => GString::new(),
        }
    }

    /// Returns the system's code (`errno`; on Windows Winsock's) of what the last failed call ran into; 0 if none failed,
    /// if the system was not asked, or if it was its resolver, which has no such codes. A call that succeeds does not
    /// clear it.
    #[func(gd_self)]
    fn get_last_os_error(this: Gd<Self>) -> i64 {
        registry::of(&this).peer.last_error().code.into()
    }

    /// Returns what the last failed call ran into: what was being done, and the system's own words. An empty string if
    /// none failed. Answers of other hosts that a packet was refused are kept here as well.
    ///
    /// A call that succeeds does not clear it, so look at it only after a failure. No failures, and not told here, are a
    /// [method wait] that returned [constant ERR_TIMEOUT], [constant ERR_SKIP] or [constant ERR_UNAVAILABLE], and taking a
    /// packet when there is none.
    #[func(gd_self)]
    fn get_last_error_message(this: Gd<Self>) -> GString {
        GString::from(&registry::of(&this).peer.last_error().message)
    }

    /// Takes up to `max_packets` packets at once, oldest first; with -1, the default, all that are there now. Much cheaper
    /// than [method PacketPeer.get_packet] for each of them.
    ///
    /// ```gdscript
    /// func _process(_delta):
    ///     var packets := peer.get_packets()
    ///     var ips := peer.get_batch_ips()
    ///     var ports := peer.get_batch_ports()
    ///     for i in packets.size():
    ///         print(ips[i], ":", ports[i], " sent ", packets[i].get_string_from_utf8())
    /// ```
    ///
    /// Empty if there are none, with a `max_packets` of 0, below -1 and on a peer that is not open; the last two print an
    /// error.
    ///
    /// What the `get_batch_` methods tell belongs to the last such call on this peer, whichever thread made it, and stays
    /// until the next one, also when this peer is closed: threads that share a peer and need senders take turns.
    #[func(gd_self)]
    fn get_packets(this: Gd<Self>, #[opt(default = -1)] max_packets: i64) -> Array<PackedByteArray> {
        let shared = registry::of(&this);
        let mut packets = Packets::new();
        if let Some(mut taking) = take_many(&shared, "get_packets", max_packets) {
            while let Some(run) = taking.next() {
                packets.append(&run);
            }
        }
        packets.finish()
    }

    /// Takes packets as [method get_packets] does, and returns their bytes back to back in one array; how many bytes each
    /// has is in [method get_batch_sizes]. Cheaper still for many small packets, since nothing is made for each.
    ///
    /// ```gdscript
    /// var bytes := peer.get_packets_joined()
    /// var start := 0
    /// for size in peer.get_batch_sizes():
    ///     read_sample(bytes.decode_float(start), bytes.decode_float(start + 4))
    ///     start += size
    /// ```
    #[func(gd_self)]
    fn get_packets_joined(this: Gd<Self>, #[opt(default = -1)] max_packets: i64) -> PackedByteArray {
        let shared = registry::of(&this);
        let mut joined = Joined::default();
        if let Some(mut taking) = take_many(&shared, "get_packets_joined", max_packets) {
            while let Some(run) = taking.next() {
                joined.append(run.bytes);
            }
        }
        joined.finish()
    }

    /// Returns where each packet of the last [method get_packets] or [method get_packets_joined] came from, in its order;
    /// written as [method get_packet_ip] writes.
    #[func(gd_self)]
    fn get_batch_ips(this: Gd<Self>) -> PackedStringArray {
        let batch = registry::of(&this).peer.batch();
        let mut last = None;
        let texts = batch.iter().map(|stamp| {
            // Whatever the port.
            let mut address = stamp.sender();
            address.set_port(0);
            // Packets of one sender come in a row, mostly, and the engine shares equal strings.
            match &last {
                Some((same, text)) if *same == address => GString::clone(text),
                _ => {
                    let text = GString::from(&format_address(address));
                    last = Some((address, text.clone()));
                    text
                }
            }
        });
        texts.collect()
    }

    /// Returns the port that each packet of the last [method get_packets] or [method get_packets_joined] came from, in its
    /// order.
    #[func(gd_self)]
    fn get_batch_ports(this: Gd<Self>) -> PackedInt32Array {
        registry::of(&this).peer.batch().iter().map(|stamp| i32::from(stamp.sender().port())).collect()
    }

    /// Returns when each packet of the last [method get_packets] or [method get_packets_joined] arrived, in its order; see
    /// [method get_packet_time_usec].
    #[func(gd_self)]
    fn get_batch_times_usec(this: Gd<Self>) -> PackedInt64Array {
        registry::of(&this).peer.batch().iter().map(|stamp| stamp.time_usec().cast_signed()).collect()
    }

    /// Returns how many bytes each packet of the last [method get_packets] or [method get_packets_joined] has, in its order.
    #[func(gd_self)]
    fn get_batch_sizes(this: Gd<Self>) -> PackedInt32Array {
        let batch = registry::of(&this).peer.batch();
        batch.iter().map(|stamp| i32::try_from(stamp.length()).unwrap_or(i32::MAX)).collect()
    }

    /// Returns when the last packet taken arrived, in microseconds, on the clock of [method Time.get_ticks_usec]; 0 before
    /// the first. However late the packet is read, this is when it came: so round-trip times do not depend on the frame
    /// rate.
    ///
    /// On Linux and Android it is when the system received it, elsewhere when it was read from the socket (with
    /// [member background_receive]: soon after). It is never later than the read. Like [method get_packet_ip] it
    /// belongs to the last packet that any thread took from this peer.
    #[func(gd_self)]
    fn get_packet_time_usec(this: Gd<Self>) -> i64 {
        registry::of(&this).peer.last_taken().map_or(0, |stamp| stamp.time_usec().cast_signed())
    }

    /// Sends many packets to the destination, in order, with few system calls: `packets` is an array of
    /// [PackedByteArray]s. An empty one is sent as an empty packet. Opens this peer if it is not open.
    ///
    /// Returns how many the system took. If that is fewer than given, the rest was not sent, and
    /// [method get_last_error_message] says why: the system's send buffer is full, for one, so send the rest in the next
    /// frame. A packet that is larger than 65507 bytes is never taken: leave it out, and send the rest. Returns -1, and
    /// sends nothing, if an element is no [PackedByteArray], if there is no destination, or if no socket can be opened.
    ///
    /// **Note:** on Linux and Android packets of one size in a row are handed to the system as one, which
    /// makes sending them several times as fast.
    #[func(gd_self)]
    fn put_packets(this: Gd<Self>, packets: AnyArray) -> i64 {
        let shared = registry::of(&this);
        let mut arrays = Vec::with_capacity(packets.len());
        for (index, element) in packets.iter_shared().enumerate() {
            // Asked first: the engine would convert nearly anything, into an empty array if need be.
            let found = element.get_type();
            if found != VariantType::PACKED_BYTE_ARRAY {
                let text = format!("element {index} is no PackedByteArray but of type {found:?}; nothing was sent.");
                shared.peer.note_misuse(&text);
                shared.reporter.print("put_packets", Limit::Ours, &text);
                return -1;
            }
            arrays.push(element.to::<PackedByteArray>());
        }
        let slices: Vec<&[u8]> = arrays.iter().map(PackedByteArray::as_slice).collect();
        count_or_complain(&shared, "put_packets", shared.peer.send_many(&slices))
    }

    /// Cuts `data` into packets of `segment_size` bytes, 1 to 65507 (the last may be shorter), and sends them to the
    /// destination without copying them, in as few system calls as the platform allows: the fastest way to send many
    /// packets of one size. Opens this peer if it is not open.
    ///
    /// Returns how many packets the system took, as [method put_packets] does; -1 for a `segment_size` out of range.
    #[func(gd_self)]
    fn put_segmented(this: Gd<Self>, data: PackedByteArray, segment_size: i64) -> i64 {
        let shared = registry::of(&this);
        count_or_complain(&shared, "put_segmented", shared.peer.send_segmented(data.as_slice(), segment_size))
    }

    /// Returns the directed broadcast address of every interface that is up, such as `192.168.1.255`, computed from its real
    /// netmask: what `255.255.255.255` does not reach, since that leaves by one interface only. Loopback and point-to-point
    /// interfaces (VPNs) have none and are left out, and each network is listed once. Asks the system at each call.
    #[func]
    fn get_broadcast_addresses() -> PackedStringArray {
        packet_peer_udp_core::broadcast_addresses().iter().map(|ip| GString::from(&ip.to_string())).collect()
    }

    /// Sends one copy of `packet`, which may be empty, to `port` (1 to 65535) at each of the
    /// [method get_broadcast_addresses]: so it reaches every network that this machine is on (of two
    /// with the same addresses, one). Needs [method set_broadcast_enabled]; leaves the destination as it is; opens this peer,
    /// for IPv4, if it is not open.
    ///
    /// Returns how many copies the system took; if one was refused, [method get_last_error_message] says why. 0 if there is
    /// no interface with a broadcast address. Returns -1 and prints an error if broadcasts are not enabled, for a port out of
    /// range, on a connected peer, or on one that has IPv6 only (bound to `"::"`, or
    /// opened by sending to an IPv6 address).
    #[func(gd_self)]
    fn put_packet_broadcast(this: Gd<Self>, packet: PackedByteArray, port: i64) -> i64 {
        let shared = registry::of(&this);
        count_or_complain(&shared, "put_packet_broadcast", shared.peer.send_broadcast(packet.as_slice(), port))
    }

    /// Sends one packet to any numeric address, leaving the destination as it is; an empty `packet` too. Opens this peer if
    /// it is not open. A link-local IPv6 address needs its interface: `fe80::1%eth0`.
    ///
    /// Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for an `ip` that is no numeric address, or a port below 0
    /// or above 65535 (to port 0 the system refuses to send); [constant ERR_LOCKED] on a connected peer; else as
    /// [method PacketPeer.put_packet].
    #[func(gd_self)]
    fn send_to(this: Gd<Self>, packet: PackedByteArray, ip: GString, port: i64) -> GodotError {
        let shared = registry::of(&this);
        let result = shared.peer.send_to(packet.as_slice(), &ip.to_string(), port);
        answer_in(Limit::Ours, &shared, "send_to", result, |error| match &error.reason {
            Reason::InvalidAddress => {
                Some(format!("\"{ip}\" is not a numeric IP address; resolve a name with set_dest_address_async()."))
            }
            Reason::UnknownInterface(name) => Some(no_such_scope(name, &ip)),
            Reason::NoScope(_) => Some(format!("{error}.")),
            Reason::InvalidPort(port) => Some(format!("port {port} is out of range; use 1 to 65535.")),
            Reason::Served => Some(OF_SERVER.to_owned()),
            Reason::Connected => Some(
                "the peer is connected, and sends to nobody else; call close() first, or use put_packet().".to_owned(),
            ),
            Reason::WrongFamily(_) => Some(format!("{error}. {OTHER_FAMILY}")),
            Reason::NoSocket(_) => Some(no_socket(error)),
            _ => None,
        })
    }

    /// Returns what this peer has counted since it was made, or since [method reset_stats]:
    /// - `packets_sent`, `bytes_sent`: what the system took;
    /// - `packets_received`, `bytes_received`: what entered this peer's queue and was not dropped there;
    /// - `packets_dropped_queue`: what a full queue gave up, see [member overflow_policy];
    /// - `packets_dropped_kernel`: what the system dropped because its own buffer was full. Linux and Android only, else 0; a
    ///   lower bound, since packets that the system has joined count as one;
    /// - `send_errors`: calls that could not send, or not all that they were given;
    /// - `receive_errors`: failed receives, mostly other hosts' answers that a packet was refused;
    /// - `send_syscalls`, `receive_syscalls`: how often the system was called for it.
    #[func(gd_self)]
    fn get_stats(this: Gd<Self>) -> VarDictionary {
        stats_dictionary(&registry::of(&this).peer.stats())
    }

    /// Sets everything that [method get_stats] tells to 0.
    #[func(gd_self)]
    fn reset_stats(this: Gd<Self>) {
        registry::of(&this).peer.reset_stats();
    }

    // Setters and getters cannot be `gd_self`. They neither block nor borrow mutably, so nobody has to wait for them.

    #[func]
    fn get_background_receive(&self) -> bool {
        self.shared.peer.background_receive()
    }

    #[func]
    fn set_background_receive(&self, enabled: bool) {
        // From now on there may be signals to emit.
        registry::announce(&self.to_gd());
        self.explain("background_receive", self.shared.peer.set_background_receive(enabled), "");
    }

    #[func]
    fn get_overflow_policy(&self) -> i64 {
        match self.shared.peer.overflow_policy() {
            OverflowPolicy::DropNewest => Self::DROP_NEWEST,
            OverflowPolicy::DropOldest => Self::DROP_OLDEST,
        }
    }

    #[func]
    fn set_overflow_policy(&self, policy: i64) {
        self.shared.peer.set_overflow_policy(match policy {
            Self::DROP_NEWEST => OverflowPolicy::DropNewest,
            Self::DROP_OLDEST => OverflowPolicy::DropOldest,
            _ => {
                let text = format!("{policy} is no policy; use DROP_NEWEST (0) or DROP_OLDEST (1).");
                self.shared.peer.note_misuse(&text);
                return self.shared.reporter.print_of_property("overflow_policy", &text);
            }
        });
    }

    #[func]
    fn get_receive_buffer_size(&self) -> i64 {
        self.shared.peer.receive_buffer_size().try_into().unwrap_or(i64::MAX)
    }

    #[func]
    fn set_receive_buffer_size(&self, bytes: i64) {
        self.explain("receive_buffer_size", self.shared.peer.set_receive_buffer_size(bytes), BUFFER_RANGE);
    }

    #[func]
    fn get_send_buffer_size(&self) -> i64 {
        self.shared.peer.send_buffer_size().try_into().unwrap_or(i64::MAX)
    }

    #[func]
    fn set_send_buffer_size(&self, bytes: i64) {
        self.explain("send_buffer_size", self.shared.peer.set_send_buffer_size(bytes), BUFFER_RANGE);
    }

    #[func]
    fn get_reuse_address(&self) -> bool {
        self.shared.peer.option(|options| options.reuse_address)
    }

    #[func]
    fn set_reuse_address(&self, enabled: bool) {
        self.set_option(SocketOption::ReuseAddress(enabled));
    }

    #[func]
    fn get_reuse_port(&self) -> bool {
        self.shared.peer.option(|options| options.reuse_port)
    }

    #[func]
    fn set_reuse_port(&self, enabled: bool) {
        self.set_option(SocketOption::ReusePort(enabled));
    }

    #[func]
    fn get_time_to_live(&self) -> i64 {
        self.shared.peer.option(|options| options.time_to_live)
    }

    #[func]
    fn set_time_to_live(&self, hops: i64) {
        self.set_option(SocketOption::TimeToLive(hops));
    }

    #[func]
    fn get_traffic_class(&self) -> i64 {
        self.shared.peer.option(|options| options.traffic_class)
    }

    #[func]
    fn set_traffic_class(&self, class: i64) {
        self.set_option(SocketOption::TrafficClass(class));
    }

    #[func]
    fn get_multicast_time_to_live(&self) -> i64 {
        self.shared.peer.option(|options| options.multicast_time_to_live)
    }

    #[func]
    fn set_multicast_time_to_live(&self, hops: i64) {
        self.set_option(SocketOption::MulticastTimeToLive(hops));
    }

    #[func]
    fn get_multicast_loopback(&self) -> bool {
        self.shared.peer.option(|options| options.multicast_loopback)
    }

    #[func]
    fn set_multicast_loopback(&self, enabled: bool) {
        self.set_option(SocketOption::MulticastLoopback(enabled));
    }

    #[func]
    fn get_multicast_interface(&self) -> GString {
        self.shared.peer.option(|options| GString::from(&options.multicast_interface))
    }

    #[func]
    fn set_multicast_interface(&self, name: GString) {
        self.set_option(SocketOption::MulticastInterface(name.to_string()));
    }
}

impl PacketPeerUdpRs {
    fn set_option(&self, option: SocketOption) {
        let (property, range) = (option.name(), properties::range(&option));
        self.explain(property, self.shared.peer.set_option(option), range);
    }

    fn explain(&self, property: &'static str, result: packet_peer_udp_core::Result<()>, range: &str) {
        properties::explain(&self.shared.reporter, property, result, range);
    }
}

/// Emits the signals of the peers that have something to tell. Called once a frame, on the main thread.
pub(crate) fn emit_signals() {
    let news = packet_peer_udp_core::take_news();
    if news.is_empty() {
        return;
    }
    let packets_available = StringName::from("packets_available");
    for token in news {
        let Some((object, shared)) = registry::find(token) else { continue };
        // (As no more than that: to find out what class it is of takes longer than all the rest.)
        let Ok(mut peer) = object.try_to::<Gd<Object>>() else { continue };
        // Both before either is told: what a handler brings about is for the next frame.
        let (count, resolved) = (shared.peer.take_news(), shared.peer.take_resolved());
        // There may be thousands of peers, and of most nobody wants to know.
        if let Some(count) = count
            && peer.has_connections(&packets_available)
        {
            peer.emit_signal(&packets_available, vslice![to_int(count as u64)]);
        }
        if let Some(resolved) = resolved {
            emit_resolved(&mut peer, &shared, resolved);
        }
    }
}

fn emit_resolved(peer: &mut Gd<Object>, shared: &Shared, resolved: Resolved) {
    let ip = resolved.address.map_or(GString::new(), |address| GString::from(&format_address(address)));
    let error = resolved.error.as_ref().map_or(GodotError::OK, to_godot_error);
    peer.emit_signal("host_resolved", vslice![error, ip]);
    // Afterwards: printing may run a script that closes the peer, and then there is nothing to signal.
    shared.tell_refusals();
    // What was wrong with the call was said when it was made, and that a name has no address is what the signal is for.
    if let Some(error) = resolved.error.filter(|e| !matches!(e.reason, Reason::Connected | Reason::Unresolvable(_))) {
        shared.reporter.print("connect_to_host_async", Limit::Ours, &no_connection(&error));
    }
}

/// Begins to take packets; says what is wrong where that cannot be.
fn take_many<'a>(shared: &'a Shared, member: &'static str, max_packets: i64) -> Option<Taking<'a>> {
    let max = match max_packets {
        -1 => None,
        _ => Some(usize::try_from(max_packets).ok()),
    };
    if max == Some(None) {
        let text = format!("max_packets is {max_packets}; use -1 for all there are, or 0 and more.");
        shared.peer.note_misuse(&text);
        shared.reporter.print(member, Limit::Ours, &text);
        return None;
    }
    let taking = shared.peer.take_many(max.flatten());
    if taking.is_err() {
        shared.reporter.print(member, Limit::Ours, &"the peer is not open; call bind() first.");
    }
    taking.ok()
}

/// How many packets were sent, or -1 and a line.
fn count_or_complain(shared: &Shared, member: &'static str, result: packet_peer_udp_core::Result<usize>) -> i64 {
    shared.tell_refusals();
    let error = match result {
        Ok(count) => return i64::try_from(count).unwrap_or(i64::MAX),
        Err(error) => error,
    };
    let text = match &error.reason {
        Reason::NoDestination => NO_DESTINATION.to_owned(),
        Reason::InvalidSegment(size) => format!("segment_size is {size}; use 1 to 65507."),
        Reason::InvalidPort(port) => format!("port {port} is out of range; use 1 to 65535."),
        Reason::NoBroadcast => "broadcasts are not enabled; call set_broadcast_enabled(true) first.".to_owned(),
        Reason::Connected => "the peer is connected, and sends to nobody else; call close() first.".to_owned(),
        Reason::Served => OF_SERVER.to_owned(),
        Reason::WrongFamily(_) => format!("{error}. {OTHER_FAMILY}"),
        Reason::NoSocket(_) => no_socket(&error),
        _ => format!("{error}."),
    };
    shared.reporter.print(member, Limit::Ours, &text);
    -1
}

/// Turns a result into the script's `Error`, and prints what `remedy` says of the failure, if anything; also which options
/// were refused, if the call has opened the peer.
pub(crate) fn answer(
    shared: &Shared,
    member: &'static str,
    result: packet_peer_udp_core::Result<()>,
    remedy: impl FnOnce(&Error) -> Option<String>,
) -> GodotError {
    answer_in(Limit::Native, shared, member, result, remedy)
}

fn answer_in(
    limit: Limit,
    shared: &Shared,
    member: &'static str,
    result: packet_peer_udp_core::Result<()>,
    remedy: impl FnOnce(&Error) -> Option<String>,
) -> GodotError {
    shared.tell_refusals();
    match result {
        Ok(()) => GodotError::OK,
        Err(error) => {
            if let Some(text) = remedy(&error) {
                shared.reporter.print(member, limit, &text);
            }
            to_godot_error(&error)
        }
    }
}

/// Prints a line about the misuse of a member that `PacketPeerUDP` has too.
fn complain(shared: &Shared, member: &'static str, text: &dyn Display) {
    shared.reporter.print(member, Limit::Native, text);
}

/// What to do about a host that cannot be connected to.
fn connect_remedy(error: &Error, host: &GString) -> Option<String> {
    match &error.reason {
        // Whoever closed it, or connected it elsewhere, knows.
        Reason::Closed | Reason::Superseded => None,
        Reason::Served => Some(OF_SERVER.to_owned()),
        Reason::InvalidPort(port) => Some(format!("port {port} is out of range; use 1 to 65535.")),
        Reason::Unresolvable(_) => {
            Some(format!("{error}. Check the name and the machine's network, or use a numeric address."))
        }
        _ => resolve_remedy(error, host).or_else(|| Some(no_connection(error))),
    }
}

/// What to do about a host that cannot be looked up at all.
fn resolve_remedy(error: &Error, host: &GString) -> Option<String> {
    match &error.reason {
        Reason::InvalidAddress => {
            Some(format!("\"{host}\" is neither an IP address nor a host name; give one of the two."))
        }
        Reason::UnknownInterface(name) => Some(no_such_scope(name, host)),
        Reason::NoThread(_) => Some(format!("{error}. End threads that are no longer needed.")),
        _ => None,
    }
}

/// What to do about an address that the system does not connect to.
fn no_connection(error: &Error) -> String {
    match &error.reason {
        Reason::NoSocket(_) => no_socket(error),
        Reason::WrongFamily(_) => {
            format!("{error}. The peer is closed now; bind it to \"*\" to reach both IPv4 and IPv6.")
        }
        _ => format!("{error}. The peer is closed now; check the address and the machine's network."),
    }
}

fn fixed_destination(shared: &Shared, host: &GString, port: i64) -> String {
    if shared.peer.is_served() {
        return format!("{OF_SERVER} (Its destination cannot become {host} port {port}.)");
    }
    format!(
        "the peer is connected, so its destination cannot become {host} port {port}; call close() first, or \
         connect_to_host() to connect elsewhere."
    )
}

fn no_such_scope(name: &str, address: &GString) -> String {
    format!("there is no interface \"{name}\", which \"{address}\" asks for; IP.get_local_interfaces() lists them.")
}

fn group_remedy(error: &Error) -> String {
    match &error.reason {
        Reason::NotOpen => format!("{error}; call bind() first."),
        Reason::Served => OF_SERVER.to_owned(),
        Reason::InvalidAddress => {
            format!("\"{}\" is not a numeric IP address; give that of a multicast group.", error.subject)
        }
        Reason::UnknownInterface(name) => format!(
            "there is no interface \"{name}\" with an IPv4 address; IP.get_local_interfaces() lists them, and \"\" \
             leaves the choice to the system."
        ),
        Reason::WrongFamily(_) => format!("{error}. {OTHER_FAMILY}"),
        Reason::NoSocket(_) => no_socket(error),
        _ if error.operation == Operation::LeaveGroup => {
            format!("{error}. Only a group that was joined, and on the interface where it was, can be left.")
        }
        Reason::Os(system) if system.kind() == ErrorKind::AddrInUse => {
            format!("{error}. It has been joined on this interface already.")
        }
        _ => format!("{error}. Check that it is a multicast address, and that it was not joined already."),
    }
}

pub(crate) fn no_socket(error: &Error) -> String {
    format!("{error}. Close sockets or files that are no longer needed.")
}

/// `None` where the peer is not open.
fn local_port(shared: &Shared) -> Option<i64> {
    shared.peer.local_addr().map(|address| address.port().into())
}
