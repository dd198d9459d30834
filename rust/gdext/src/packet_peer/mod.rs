//! The class `PacketPeerUdpRs`: its registered members. What they do beyond a line is in [`calls`](crate::calls); what the
//! engine calls for each packet is in [`virtuals`](crate::virtuals).
//!
//! The `///` comments on the class and its members are its pages in the editor's class reference: Markdown, with Godot's
//! `[method name]`, `[member name]` and `[constant name]` links. A link stays on one line.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the class reference's links are not Rust's")]
#![allow(clippy::tabs_in_doc_comments, reason = "the samples are GDScript, which the editor indents by tabs")]

use std::sync::Arc;

use godot::classes::PacketPeerExtension;
use godot::global::Error as GodotError;
use godot::prelude::*;
use godot::register::property::PhantomVar;
use packet_peer_udp_core::Peer;

use crate::convert;
use crate::registry::{HasShared, Registration};
use crate::shared::{Links, Shared};
use crate::udp_link_conditions::UdpLinkConditions;

mod methods;

/// UDP packet peer: a drop-in for [PacketPeerUDP].
///
/// Sends and receives UDP packets and [Variant]s. It has all methods of [PacketPeerUDP], with the same results, and
/// everything that it inherits from [PacketPeer] works as it does there: to use it, write `PacketPeerUdpRs` where a script
/// says `PacketPeerUDP`.
///
/// ```gdscript
/// var peer := PacketPeerUdpRs.new()
///
/// func _ready():
/// 	if peer.bind(4433) != OK:
/// 		push_error(peer.get_last_error_message())
///
/// func _process(_delta):
/// 	for i in peer.get_available_packet_count():
/// 		var packet := peer.get_packet()
/// 		print(peer.get_packet_ip(), ":", peer.get_packet_port(), " sent ", packet.get_string_from_utf8())
/// ```
///
/// **What differs from [PacketPeerUDP]:**
/// - A closed peer keeps no packets: after the next [method bind], no packet from before is read.
/// - [method connect_to_host] leaves no phantom packets behind, and also takes a host name.
/// - [method wait] takes a timeout, is ended by [method close] and by [method interrupt_wait], and returns at once when
///   packets are queued already.
/// - If another host answers that a packet was refused (ICMP), waiting, counting and the next send work as before.
/// - When the system's send buffer is full, [method PacketPeer.put_packet] returns [constant ERR_BUSY]; it does not spin.
/// - One call reads a bounded amount, so a flood of packets never stalls a frame.
/// - `recv_buf_size` is passed on to the operating system, so more packets survive a long frame.
/// - [method get_packet_ip] of a link-local IPv6 sender ends in the interface, so that the sender can be answered.
/// - Once a peer has joined a multicast group, it does not receive groups that only other sockets have joined.
/// - [method get_last_error_message] says in the system's words why something failed.
///
/// The traffic of all peers of the game is shown in the editor's debugger, under *Monitors*, and is available to scripts by
/// [method Performance.get_custom_monitor]: `udp_rs/packets_in_per_sec`, `udp_rs/packets_out_per_sec`,
/// `udp_rs/bytes_in_per_sec`, `udp_rs/bytes_out_per_sec` (in the last full second) and `udp_rs/packets_dropped` (since the
/// start). They change once a second.
///
/// In addition, names are resolved without blocking ([method connect_to_host_async]), [method put_packet_broadcast] reaches
/// every network of this machine, and the socket's options are properties.
///
/// **Sending:** set a destination with [method set_dest_address] (or connect), then call [method PacketPeer.put_packet] or
/// [method PacketPeer.put_var]. If the peer is not open, this opens it, for IPv4 or IPv6 as the address requires; to reach
/// both, [method bind] it to port 0 first. A packet holds up to 65507 bytes over IPv4, 65527 over IPv6; an
/// empty one is not sent. Returns
/// [constant OK] when the system took the packet (UDP does not tell whether it arrived); [constant ERR_UNCONFIGURED]
/// without a destination; [constant ERR_BUSY] if the system's send buffer is full, so try again in the next frame;
/// [constant FAILED] if the system refuses, with the reason in [method get_last_error_message].
///
/// **Receiving:** [method PacketPeer.get_packet] and [method PacketPeer.get_var] take the oldest packet. Its sender is then
/// in [method get_packet_ip] and [method get_packet_port]. [method get_packets] takes all packets at once, which is much
/// cheaper, and with [member background_receive] nothing is lost while the game is busy.
///
/// **Servers:** to talk to each of many senders by a peer of its own, use [UdpServerRs]. Its peers are of this class, but
/// have no socket of their own; the reference of [UdpServerRs] says what they cannot do.
///
/// **Threads:** every method may be called from any thread. The one exception is the engine's own:
/// [method PacketPeer.put_var] must not be called by several threads at once on one peer.
///
/// **Note:** this class is a [PacketPeer], but not a [PacketPeerUDP]. A variable of that type, `is PacketPeerUDP`, and
/// engine classes that require exactly that type ([PacketPeerDTLS], [DTLSServer]) do not accept it.
///
/// **Note:** on Android, enable the `INTERNET` permission in the export preset; to receive multicast or broadcast there,
/// an app must also hold a multicast lock. iOS and macOS ask the player before a game may use the local network; the
/// firewall of Windows asks when a game first listens.
#[derive(GodotClass)]
#[class(tool, base = PacketPeerExtension)]
pub(crate) struct PacketPeerUdpRs {
    /// Whether packets are received in the background: a thread of the addon moves packets into this peer's queue as they
    /// arrive. So nothing is lost while the game loads or a frame is long, and receiving costs the game's thread no system
    /// call. One thread serves all such peers, and sleeps while nothing arrives.
    ///
    /// [method bind] sets how much the queue holds; [member overflow_policy] sets what a full queue drops. This may be
    /// switched at any time, also while packets arrive: no packet is lost or reordered by it. Signals
    /// [signal packets_available].
    #[var(get = get_background_receive, set = set_background_receive, usage_flags = [EDITOR])]
    background_receive: PhantomVar<bool>,
    /// How many bytes the receive queue may hold; 0, the default, for what the `recv_buf_size` of [method bind] says: the next
    /// power of two above it, at least 65536, and 65536 where [method bind] did not open the peer. A packet takes its length
    /// and 24 bytes more, so 65536 bytes hold 63 packets of 1000 bytes.
    ///
    /// A new value holds at once, and at every later open. What is queued beyond it is dropped and counted, by
    /// [member overflow_policy]. The first packet that the queue drops prints one line, once per open. An empty queue takes
    /// every packet. A server's peer has the [member UdpServerRs.queue_size] of its server.
    #[var(get = get_queue_size, set = set_queue_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    queue_size: PhantomVar<i64>,
    /// Which packets a full queue drops: [constant DROP_NEWEST] or [constant DROP_OLDEST]. Each dropped packet is counted,
    /// see [method get_stats].
    ///
    /// Without [member background_receive] and with [constant DROP_NEWEST], nothing is read into a full queue: packets wait
    /// in the system's buffer, and the system drops those that do not fit there.
    #[var(get = get_overflow_policy, set = set_overflow_policy, usage_flags = [EDITOR], hint = ENUM, hint_string = "Drop newest,Drop oldest")]
    overflow_policy: PhantomVar<i64>,
    /// How many bytes the system is asked for as its receive buffer, now and whenever this peer is opened again. With 0,
    /// the default, [method bind] asks for its `recv_buf_size`, and never for less than the system's default.
    ///
    /// While this peer is open, this reads back what the system has granted, in the system's own figure. Linux doubles the
    /// number that it is asked for, to make room for its overhead, and grants at most `net.core.rmem_max` and at least a
    /// few KiB.
    #[var(get = get_receive_buffer_size, set = set_receive_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    receive_buffer_size: PhantomVar<i64>,
    /// How many bytes the system is asked for as its send buffer; 0 for its default. Otherwise as
    /// [member receive_buffer_size]; Linux grants at most `net.core.wmem_max`.
    #[var(get = get_send_buffer_size, set = set_send_buffer_size, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,67108864,1,or_greater,suffix:B")]
    send_buffer_size: PhantomVar<i64>,
    /// Whether several sockets may have this port: this one and others that set the same option, of this program or another
    /// (`SO_REUSEADDR`). So several LAN browsers can run on one machine. Multicasts and broadcasts then reach all of them; a
    /// packet to this machine's own address reaches one of them, on Linux the one that was bound last.
    ///
    /// Set it before [method bind]: on Linux, a socket that is open already shares its port from then on, on Windows it
    /// refuses. The exact rules are the platform's: macOS requires [member reuse_port] for sockets of the same address.
    #[var(get = get_reuse_address, set = set_reuse_address, usage_flags = [EDITOR])]
    reuse_address: PhantomVar<bool>,
    /// Whether several sockets of the same user may have this port, if all of them set this (`SO_REUSEPORT`). Linux
    /// distributes incoming packets among them, all packets of one sender to the same socket; so several threads or
    /// processes can share the work of one port.
    ///
    /// Set it before [method bind]. Windows has no such option: setting it there prints an error.
    #[var(get = get_reuse_port, set = set_reuse_port, usage_flags = [EDITOR])]
    reuse_port: PhantomVar<bool>,
    /// How many routers a packet may pass, 1 to 255 (`IP_TTL`, `IPV6_UNICAST_HOPS`). With 0, the default, the system
    /// decides, mostly for 64 or 128. NAT punching uses a small number, so that the packet opens its own router's port and
    /// goes no further. For multicast there is [member multicast_time_to_live].
    #[var(get = get_time_to_live, set = set_time_to_live, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    time_to_live: PhantomVar<i64>,
    /// The byte by which routers and the network card see how urgent packets are, 0 to 255 (`IP_TOS`, `IPV6_TCLASS`). The
    /// upper six bits are the DSCP, so 184 (46 << 2) is "expedited forwarding", which voice uses. Home networks mostly
    /// respect it on Wi-Fi only; on the internet hardly any router does.
    ///
    /// **Note:** Windows marks packets only through a service of its own: there it has no effect, or prints an error.
    #[var(get = get_traffic_class, set = set_traffic_class, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    traffic_class: PhantomVar<i64>,
    /// How many networks a multicast that this peer sends may enter, 0 to 255 (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`):
    /// 0 keeps it on this machine, 1, the default, on this network.
    #[var(get = get_multicast_time_to_live, set = set_multicast_time_to_live, usage_flags = [EDITOR], hint = RANGE, hint_string = "0,255,1")]
    multicast_time_to_live: PhantomVar<i64>,
    /// Whether members on this machine, including this peer, receive the multicasts that this peer sends
    /// (`IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP`).
    ///
    /// **Note:** on Windows, the receiver's setting decides for IPv4.
    #[var(get = get_multicast_loopback, set = set_multicast_loopback, usage_flags = [EDITOR])]
    multicast_loopback: PhantomVar<bool>,
    /// The interface by which multicasts that this peer sends leave (`IP_MULTICAST_IF`, `IPV6_MULTICAST_IF`): a name as
    /// [method IP.get_local_interfaces] gives it. With `""`, the default, the system picks one. To send by every interface,
    /// set one after the other and send each time, or use a peer for each.
    ///
    /// What is received is decided by [method join_multicast_group]. A name that no interface has is refused, and so is, on
    /// an open IPv4 peer, an interface without an IPv4 address. After an interface was removed and has come back (a cable, a
    /// phone, a VPN), set this again.
    #[var(get = get_multicast_interface, set = set_multicast_interface, usage_flags = [EDITOR], hint = PLACEHOLDER_TEXT, hint_string = "the system's choice")]
    multicast_interface: PhantomVar<GString>,
    /// Whether each packet tells the address that it was sent to and the interface by which it came, see
    /// [method get_packet_local_ip] (`IP_PKTINFO`, `IPV6_RECVPKTINFO`). Holds for packets that arrive from then on. Such a
    /// packet takes 20 bytes more of memory, which do not count for the queue's limit.
    #[var(get = get_packet_info, set = set_packet_info, usage_flags = [EDITOR])]
    packet_info: PhantomVar<bool>,
    /// The address of this machine that packets leave from; `""`, the default: the routing table decides. For a peer that is
    /// not connected and that is bound to `"*"`, `"0.0.0.0"` or `"::"`, or was opened by its first packet; others leave from
    /// the address that they are bound to. Packets to the other address family are not concerned, nor is
    /// [method put_packet_broadcast].
    ///
    /// An address that no interface has is refused. If this machine loses the address later, sending is [constant FAILED], with
    /// the reason in [method get_last_error_message]. A link-local address needs its interface: `fe80::1%eth0`.
    #[var(get = get_source_address, set = set_source_address, usage_flags = [EDITOR], hint = PLACEHOLDER_TEXT, hint_string = "the system's choice")]
    source_address: PhantomVar<GString>,
    /// A bad network for what this peer sends: loss, delay, bandwidth and the like, for trying a game; `null`, the default, for none,
    /// which costs nothing. Kept when this peer is closed. A property of the resource that is changed takes effect at once.
    ///
    /// [method PacketPeer.put_packet] and all other methods that send then return as on a real network: [constant OK] also for a packet that
    /// the conditions lose. A thread of the addon sends packets when they are due; errors of the system by then are counted as
    /// `send_errors`, see [method get_stats].
    ///
    /// `null` sends at once what is held back. [method close] and connecting anew drop it, so a last "goodbye" is lost unless the game
    /// waits for it. At most [member queue_size] bytes are held back, 4 MiB where that is 0; a packet takes its length and 128 bytes more.
    ///
    /// A peer of an [UdpServerRs] starts with [member UdpServerRs.send_conditions] of its server, and may have others.
    #[var(get = get_send_conditions, set = set_send_conditions, usage_flags = [EDITOR], hint = RESOURCE_TYPE, hint_string = "UdpLinkConditions")]
    send_conditions: PhantomVar<Option<Gd<UdpLinkConditions>>>,
    /// A bad network for what this peer receives, likewise. Packets enter the queue when they are due, and [method get_packet_time_usec]
    /// tells that time. Without [member background_receive] they are still taken in a frame, and on systems other than Linux and
    /// Android their delay counts from when they were read. `null` delivers at once what is held back; [method close] drops it.
    ///
    /// A peer of an [UdpServerRs] starts with [member UdpServerRs.receive_conditions] of its server, and may have others. When only the
    /// peer is closed, what is held back for it arrives later and is a new connection, as packets are that were on their way.
    #[var(get = get_receive_conditions, set = set_receive_conditions, usage_flags = [EDITOR], hint = RESOURCE_TYPE, hint_string = "UdpLinkConditions")]
    receive_conditions: PhantomVar<Option<Gd<UdpLinkConditions>>>,
    shared: Registration<Shared>,
    /// Whether the object has got the notification that it is constructed.
    #[cfg(not(feature = "plain-virtuals"))]
    is_noticed: bool,
    base: Base<PacketPeerExtension>,
}

// Here, since gdext's macro looks for what its other one has defined in this file.
#[cfg(feature = "plain-virtuals")]
#[path = "../virtuals_plain.rs"]
mod virtuals_plain;

impl PacketPeerUdpRs {
    /// The constructor for scripts.
    pub(crate) fn new_closed(base: Base<PacketPeerExtension>) -> Self {
        let this = Self::new(base, Peer::new(), Links::default());
        // Nothing is pending before a script has the object, and opens the peer.
        this.shared.peer.enable_signals(this.shared.id());
        this
    }

    /// The constructor.
    pub(crate) fn new(base: Base<PacketPeerExtension>, peer: Arc<Peer>, links: Links) -> Self {
        Self {
            background_receive: PhantomVar::default(),
            queue_size: PhantomVar::default(),
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
            packet_info: PhantomVar::default(),
            source_address: PhantomVar::default(),
            send_conditions: PhantomVar::default(),
            receive_conditions: PhantomVar::default(),
            shared: Registration::new(&base, Shared::new(peer, links)),
            #[cfg(not(feature = "plain-virtuals"))]
            is_noticed: false,
            base,
        }
    }

    /// Whether this is called for the first time.
    #[cfg(not(feature = "plain-virtuals"))]
    pub(crate) fn is_first_notice(&mut self) -> bool {
        !std::mem::replace(&mut self.is_noticed, true)
    }

    /// The engine's object.
    #[cfg(not(feature = "plain-virtuals"))]
    pub(crate) fn object(&self) -> godot::sys::GDExtensionObjectPtr {
        self.base.obj_sys()
    }
}

impl HasShared for PacketPeerUdpRs {
    type Shared = Shared;

    fn registration(&self) -> &Registration<Shared> {
        &self.shared
    }
}

#[godot_api]
impl PacketPeerUdpRs {
    /// When the queue is full, packets that arrive are dropped.
    #[constant]
    const DROP_NEWEST: i64 = 0;

    /// When the queue is full, the packets that have waited longest are dropped.
    #[constant]
    const DROP_OLDEST: i64 = 1;

    /// Emitted on the main thread, at most once a frame and before the `_process()` of that frame, when packets have arrived
    /// since it was last emitted. `count` is how many are queued. Only with [member background_receive].
    ///
    /// If a handler leaves packets in the queue, the signal is emitted again only when more arrive, or when another handler is
    /// connected, an `await` for instance: take all packets, or look again in `_process()`.
    /// A peer that is closed emits nothing: code that awaits the signal then does not resume.
    #[signal]
    fn packets_available(count: i64);

    /// Emitted on the main thread, before the `_process()` of a frame, when a [method set_dest_address_async] or
    /// [method connect_to_host_async] is done: once for each call that returned [constant OK] and was not cancelled. By then
    /// the call has taken effect. A look-up that was cancelled, or whose peer was freed, emits nothing; code that awaits the
    /// signal resumes at the next one, if any.
    ///
    /// ```gdscript
    /// if peer.connect_to_host_async("play.example.com", 4433) == OK:
    /// 	var answer: Array = await peer.host_resolved  # [error, ip]
    /// ```
    ///
    /// `error` is what [method set_dest_address] or [method connect_to_host] would have returned: [constant OK];
    /// [constant ERR_CANT_RESOLVE] if there is no such host, or no name server answers; [constant FAILED] if the system
    /// refuses to connect to the address, and then this peer is closed; [constant ERR_LOCKED] if the destination of a
    /// connected peer was to be set. `ip` is the address that was found, written as by [method get_packet_ip]; empty if none
    /// was found.
    #[signal]
    fn host_resolved(error: GodotError, ip: GString);

    /// Opens this peer on a local `port`, so that it can receive packets.
    ///
    /// With `"*"` as `bind_address` (the default), the peer is reachable on every address of the machine, IPv4 and IPv6.
    /// With `"0.0.0.0"` it is reachable on every IPv4 address, with `"::"` on every IPv6 address, and with the numeric
    /// address of one interface on that address only. `port` is 0 to 65535; with 0 the system chooses a free port, which
    /// [method get_local_port] returns.
    ///
    /// Packets that have arrived wait in a queue until they are taken. The queue holds `recv_buf_size` bytes, rounded up to
    /// the next power of two above it and to at least 65536; each packet costs its length and 24 bytes. When the queue is
    /// full, packets wait in the system's own receive buffer, for which `recv_buf_size` bytes are requested too (the system
    /// sets a limit: `net.core.rmem_max` on Linux). The system drops the packets that fit in neither, newest first. With
    /// [member background_receive] the queue has to hold all packets: see [member overflow_policy].
    ///
    /// Returns [constant OK]; [constant ERR_ALREADY_IN_USE] if this peer is open already;
    /// [constant ERR_INVALID_PARAMETER] for a port out of range or a text that is no numeric address;
    /// [constant ERR_UNAVAILABLE] if the port is taken or no interface has the address (see
    /// [method get_last_error_message]); [constant ERR_CANT_CREATE] if the system cannot create a socket.
    #[cfg(false)]
    #[func]
    fn bind(
        port: i64,
        #[opt(default = "*")] bind_address: GString,
        #[opt(default = 65536)] recv_buf_size: i64,
    ) -> GodotError {
    }

    /// Closes this peer. When this returns, its port can be bound again (but not the port of a server), nothing is queued,
    /// and every [method wait] in progress, on any thread, returns [constant ERR_UNAVAILABLE].
    ///
    /// The destination (also one that was connected to), [method get_packet_ip] and [method get_packet_port], and all
    /// options are kept. Closing a closed peer does nothing.
    #[cfg(false)]
    #[func]
    fn close() {}

    /// Connects this peer to one `host` and `port` (1 to 65535): packets are sent there, and packets from other addresses
    /// are not received. Opens the peer if it is not open; packets that were queued are dropped.
    ///
    /// `host` is a numeric address, or a host name, which is resolved in the call. That may block for seconds, so for names
    /// there is [method connect_to_host_async]. A link-local IPv6 address needs its interface: `fe80::1%eth0`. UDP has no
    /// handshake; [constant OK] does not mean that a program listens there.
    ///
    /// Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for a port out of range or a text that can be neither
    /// address nor name; [constant ERR_CANT_RESOLVE] for a name that does not resolve; [constant ERR_UNAVAILABLE] if
    /// [method close] or a newer call of this kind came while the name was looked up; [constant ERR_CANT_OPEN] if the
    /// system cannot create a socket; [constant FAILED] if it refuses to connect, and then the peer is closed.
    #[cfg(false)]
    #[func]
    fn connect_to_host(host: GString, port: i64) -> GodotError {}

    /// Connects as [method connect_to_host] does, but returns at once even if `host` is a name that must be looked up: the
    /// game goes on, and [signal host_resolved] is emitted when it is done.
    ///
    /// ```gdscript
    /// func _ready():
    /// 	peer.host_resolved.connect(_on_host_resolved)
    /// 	peer.connect_to_host_async("play.example.com", 4433)
    ///
    /// func _on_host_resolved(error, ip):
    /// 	if error == OK:
    /// 		peer.put_var("hello")
    /// 	else:
    /// 		push_error(peer.get_last_error_message())
    /// ```
    ///
    /// A newer call of [method set_dest_address], [method connect_to_host] or their `_async` variants, and [method close],
    /// cancel it: then nothing happens, and no signal is emitted. A numeric address, or a name that was resolved in the last
    /// five minutes, is connected to within the call. However many peers look up names, eight are looked up at a time.
    ///
    /// Returns [constant OK] if the look-up has begun or was not needed. Any other result means that there is no signal:
    /// [constant ERR_INVALID_PARAMETER] for a port out of range or a text that can be neither address nor name;
    /// [constant ERR_CANT_CREATE] if the system cannot start a thread.
    #[cfg(false)]
    #[func]
    fn connect_to_host_async(host: GString, port: i64) -> GodotError {}

    /// Returns the local port of this peer, 0 if it is not open or has none yet.
    #[cfg(false)]
    #[func]
    fn get_local_port() -> i64 {}

    /// Returns the address that the last packet taken came from; an empty string before the first.
    ///
    /// IPv4 addresses are written plainly, IPv6 addresses as eight groups (`0:0:0:0:0:0:0:1`). A link-local IPv6 address
    /// ends in the interface where it is valid (`fe80:0:0:0:0:0:0:1%eth0`, on Windows its number), and may be passed as it
    /// is to [method set_dest_address], [method connect_to_host] or [method send_to]. If several threads take packets from
    /// one peer, this is about the last packet that any of them took: if each needs to know the sender of its own packets,
    /// they must take turns (with a [Mutex]).
    #[cfg(false)]
    #[func]
    fn get_packet_ip() -> GString {}

    /// Returns the port that the last packet taken came from; 0 before the first.
    #[cfg(false)]
    #[func]
    fn get_packet_port() -> i64 {}

    /// Returns whether this peer is open: by [method bind], or by connecting, sending or joining a group.
    #[cfg(false)]
    #[func]
    fn is_bound() -> bool {}

    /// Returns whether this peer is connected by [method connect_to_host], or belongs to an [UdpServerRs]. For a server's
    /// peer this becomes `false` when it does not belong to the server any more.
    #[cfg(false)]
    #[func]
    fn is_socket_connected() -> bool {}

    /// Joins the multicast group `multicast_address` on an interface, opening the peer if it is not open.
    ///
    /// `interface_name` is a name as [method IP.get_local_interfaces] gives it, or `""` to let the system choose. To receive
    /// packets sent to a port, [method bind] to that port first. A peer may be in several groups, and in one group on
    /// several interfaces: join it on each. From then on, nothing is received that is sent to other groups or arrives by
    /// other interfaces; an IPv6 group that was joined with `""` is received by every interface on which some socket of the
    /// machine has joined it. (On Linux, a peer that has joined none receives what other sockets have joined.)
    ///
    /// Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for a text that is no address, an interface that is unknown
    /// or has no IPv4 address (IPv4 groups), or a group of the other address family than the socket; [constant FAILED] if
    /// the system refuses: the address is no group, or it was joined already.
    ///
    /// **Note:** on Android, receiving multicast needs the `CHANGE_WIFI_MULTICAST_STATE` permission and a multicast lock
    /// held by the app.
    #[cfg(false)]
    #[func]
    fn join_multicast_group(multicast_address: GString, interface_name: GString) -> GodotError {}

    /// Leaves the multicast group `multicast_address` on the interface on which it was joined. [method close] leaves all
    /// groups.
    ///
    /// Returns [constant OK]; [constant ERR_UNCONFIGURED] if this peer is not open; [constant FAILED] if the group was not
    /// joined there; else as [method join_multicast_group].
    #[cfg(false)]
    #[func]
    fn leave_multicast_group(multicast_address: GString, interface_name: GString) -> GodotError {}

    /// Allows or forbids sending to IPv4 broadcast addresses, such as `255.255.255.255`: now, and whenever this peer is
    /// opened again. Off by default; sending to one then fails.
    ///
    /// **Note:** receiving broadcasts needs only [method bind]; on Android also a multicast lock.
    #[cfg(false)]
    #[func]
    fn set_broadcast_enabled(enabled: bool) {}

    /// Sets the destination of [method PacketPeer.put_packet] and [method PacketPeer.put_var]. It is kept when this peer is
    /// closed, and may be set before it is opened.
    ///
    /// `host` is a numeric address, or a host name, which is resolved in the call. That may block for seconds, so for names
    /// there is [method set_dest_address_async] (an answer is remembered for five minutes). If a name has several addresses,
    /// the first one that this peer's socket can send to is used. A link-local IPv6 address needs its interface:
    /// `fe80::1%eth0`. Only the lower 16 bits of `port` count, as in [PacketPeerUDP]; sending to port 0 fails.
    ///
    /// Returns [constant OK]; [constant ERR_CANT_RESOLVE] for a text that does not resolve, and the destination stays what
    /// it was; [constant ERR_UNAVAILABLE] if another thread set a destination while the name was looked up. On a connected
    /// peer this prints an error and changes nothing.
    #[cfg(false)]
    #[func]
    fn set_dest_address(host: GString, port: i64) -> GodotError {}

    /// Sets the destination as [method set_dest_address] does, but returns at once even if `host` is a name that must be
    /// looked up: the game goes on, and [signal host_resolved] is emitted when it is done; until then packets are sent to
    /// the previous destination. See [method connect_to_host_async].
    ///
    /// Returns [constant OK] if the look-up has begun or was not needed. Any other result means that there is no signal:
    /// [constant ERR_CANT_RESOLVE] for a text that can be neither address nor name; [constant ERR_CANT_CREATE] if the system
    /// cannot start a thread. On a connected peer this prints an error and leaves the destination as it is, and the signal
    /// says [constant ERR_LOCKED].
    #[cfg(false)]
    #[func]
    fn set_dest_address_async(host: GString, port: i64) -> GodotError {}

    /// Returns whether a name is being looked up for [method set_dest_address_async] or [method connect_to_host_async]. This
    /// becomes `false` as soon as the answer has taken effect; [signal host_resolved] follows.
    #[cfg(false)]
    #[func]
    fn is_resolving() -> bool {}

    /// Blocks the calling thread until a packet can be taken, for at most `timeout_msec` milliseconds (-1, the default:
    /// without a limit; 0: does not block). Uses no processor time while it waits.
    ///
    /// Meant for a [Thread] of your own. Several threads may wait on one peer, and while they do, every other method works
    /// on any thread as if no thread waited.
    ///
    /// ```gdscript
    /// var peer := PacketPeerUdpRs.new()
    /// var thread := Thread.new()
    ///
    /// func _ready():
    /// 	if peer.bind(4433) == OK:
    /// 		thread.start(_receive)
    ///
    /// func _receive():
    /// 	while peer.wait() == OK:
    /// 		for i in peer.get_available_packet_count():
    /// 			print(peer.get_packet())
    ///
    /// func _exit_tree():
    /// 	peer.interrupt_wait()
    /// 	if thread.is_started():
    /// 		thread.wait_to_finish()
    /// ```
    ///
    /// While a peer of an [UdpServerRs] waits, it reads the server's socket for all peers of the server: they get their
    /// packets, and new senders become pending connections, without a call of [method UdpServerRs.poll].
    ///
    /// Returns [constant OK] when a packet can be taken, at once if one is queued already; [constant ERR_TIMEOUT] when the
    /// time is over; [constant ERR_SKIP] after [method interrupt_wait]; [constant ERR_UNAVAILABLE] when the peer was closed
    /// during the wait; [constant ERR_UNCONFIGURED] if it is not open; [constant ERR_INVALID_PARAMETER] for a timeout below
    /// -1.
    ///
    /// **Note:** a waiting thread keeps the peer alive, and its port taken, even if no variable refers to the peer any more.
    /// End all waits ([method close], [method interrupt_wait]) and join their threads before the game quits; otherwise the
    /// engine reports the peers of threads that still run as leaked.
    #[cfg(false)]
    #[func]
    fn wait(#[opt(default = -1)] timeout_msec: i64) -> GodotError {}

    /// Reads packets that have arrived into this peer's queue. Never needed: every method that looks at the queue does it.
    /// It exists for scripts written for engines whose [PacketPeerUDP] has such a method. On a peer of an [UdpServerRs] it
    /// does nothing: [method UdpServerRs.poll] reads for all of them.
    ///
    /// Returns [constant OK], or [constant FAILED] if this peer is not open.
    #[cfg(false)]
    #[func]
    fn poll() -> GodotError {}

    /// Ends every [method wait] in progress on this peer, on any thread, with [constant ERR_SKIP]. If no thread is waiting,
    /// the next [method wait] returns [constant ERR_SKIP] at once instead of waiting. So a thread is woken whether it has
    /// begun to wait or is about to. Opening this peer again clears such an interruption.
    #[cfg(false)]
    #[func]
    fn interrupt_wait() {}

    /// Returns the local address of this peer, written as by [method get_packet_ip]; an empty string if it is not open. A
    /// peer bound to every address has `0:0:0:0:0:0:0:0` (or `0.0.0.0`, IPv4 only); the addresses at which other machines
    /// can reach this one are in [method IP.get_local_addresses].
    #[cfg(false)]
    #[func]
    fn get_local_address() -> GString {}

    /// Returns the system's error code of the last failed call (`errno`; on Windows Winsock's); 0 if no call failed, if the
    /// system was not asked, or if its resolver failed, which has no such codes. A call that succeeds does not clear it.
    #[cfg(false)]
    #[func]
    fn get_last_os_error() -> i64 {}

    /// Returns why the last failed call failed: what was being done, and the system's own words. An empty string if no call
    /// failed. Answers of other hosts that a packet was refused are kept here as well.
    ///
    /// A call that succeeds does not clear it, so look at it only after a failure. The following are no failures and change
    /// nothing here: a [method wait] that returned [constant ERR_TIMEOUT], [constant ERR_SKIP] or
    /// [constant ERR_UNAVAILABLE], and taking a packet when there is none.
    #[cfg(false)]
    #[func]
    fn get_last_error_message() -> GString {}

    /// Takes up to `max_packets` packets at once, oldest first; with -1, the default, all that are there now. Much cheaper
    /// than [method PacketPeer.get_packet] for each of them.
    ///
    /// ```gdscript
    /// func _process(_delta):
    /// 	var packets := peer.get_packets()
    /// 	var ips := peer.get_batch_ips()
    /// 	var ports := peer.get_batch_ports()
    /// 	for i in packets.size():
    /// 		print(ips[i], ":", ports[i], " sent ", packets[i].get_string_from_utf8())
    /// ```
    ///
    /// Returns an empty array if there are no packets, with a `max_packets` of 0, with one below -1, and on a peer that is
    /// not open; the last two print an error.
    ///
    /// What the `get_batch_` methods return belongs to the last such call on this peer, from any thread, and stays until the
    /// next one, also when this peer is closed: threads that share a peer and need senders take turns.
    #[cfg(false)]
    #[func]
    fn get_packets(#[opt(default = -1)] max_packets: i64) -> Array<PackedByteArray> {}

    /// Takes packets as [method get_packets] does, and returns their bytes back to back in one array; the number of bytes of
    /// each packet is in [method get_batch_sizes]. Even cheaper for many small packets, since nothing is allocated per
    /// packet.
    ///
    /// ```gdscript
    /// var bytes := peer.get_packets_joined()
    /// var start := 0
    /// for size in peer.get_batch_sizes():
    /// 	read_sample(bytes.decode_float(start), bytes.decode_float(start + 4))
    /// 	start += size
    /// ```
    #[cfg(false)]
    #[func]
    fn get_packets_joined(#[opt(default = -1)] max_packets: i64) -> PackedByteArray {}

    /// Returns the sender's address of each packet of the last [method get_packets] or [method get_packets_joined], in its
    /// order; written as by [method get_packet_ip].
    #[cfg(false)]
    #[func]
    fn get_batch_ips() -> PackedStringArray {}

    /// Returns the sender's port of each packet of the last [method get_packets] or [method get_packets_joined], in its
    /// order.
    #[cfg(false)]
    #[func]
    fn get_batch_ports() -> PackedInt32Array {}

    /// Returns the time when each packet of the last [method get_packets] or [method get_packets_joined] arrived, in its
    /// order; see [method get_packet_time_usec].
    #[cfg(false)]
    #[func]
    fn get_batch_times_usec() -> PackedInt64Array {}

    /// Returns the number of bytes of each packet of the last [method get_packets] or [method get_packets_joined], in its
    /// order.
    #[cfg(false)]
    #[func]
    fn get_batch_sizes() -> PackedInt32Array {}

    /// The address that the last taken packet was sent to: one of this machine's, or that of the group or broadcast. Written as
    /// [method get_packet_ip]. `""` before the first packet, for packets that arrived without [member packet_info], and where
    /// the platform does not tell.
    #[cfg(false)]
    #[func]
    fn get_packet_local_ip() -> GString {}

    /// The interface by which the last taken packet came, as [method IP.get_local_interfaces] names it; on Windows its number.
    /// `""` as with [method get_packet_local_ip].
    #[cfg(false)]
    #[func]
    fn get_packet_interface() -> GString {}

    /// [method get_packet_local_ip] of each packet of the last [method get_packets] or [method get_packets_joined], in its
    /// order.
    #[cfg(false)]
    #[func]
    fn get_batch_local_ips() -> PackedStringArray {}

    /// Returns when the last packet taken arrived, in microseconds, on the clock of [method Time.get_ticks_usec]; 0 before
    /// the first. It does not depend on when the packet is taken: so round-trip times do not depend on the frame rate.
    ///
    /// On Linux and Android it is the time when the system received the packet, elsewhere the time when it was read from the
    /// socket (with [member background_receive]: soon after it arrived). It is never later than the read. Like
    /// [method get_packet_ip], it belongs to the last packet that any thread took from this peer.
    #[cfg(false)]
    #[func]
    fn get_packet_time_usec() -> i64 {}

    /// Sends many packets to the destination, in order, with few system calls: `packets` is an array of
    /// [PackedByteArray]s. An empty one is sent as an empty packet. Opens this peer if it is not open.
    ///
    /// Returns how many the system took. If that is fewer than given, the rest was not sent, and
    /// [method get_last_error_message] says why. If the system's send buffer is full, for example, send the rest in the next
    /// frame. A packet that is larger than 65507 bytes (IPv6: 65527) is never taken: leave it out, and send the rest. Returns -1, and
    /// sends nothing, if an element is no [PackedByteArray], if there is no destination, or if no socket can be opened.
    ///
    /// **Note:** on Linux and Android, consecutive packets of one size are handed to the system as one, which makes sending
    /// them several times as fast.
    #[cfg(false)]
    #[func]
    fn put_packets(packets: AnyArray) -> i64 {}

    /// Splits `data` into packets of `segment_size` bytes, 1 to 65507 (the last may be shorter), and sends them to the
    /// destination without copying them, in as few system calls as the platform allows: the fastest way to send many packets
    /// of one size. Opens this peer if it is not open.
    ///
    /// Returns how many packets the system took, as [method put_packets] does; -1 for a `segment_size` out of range.
    #[cfg(false)]
    #[func]
    fn put_segmented(data: PackedByteArray, segment_size: i64) -> i64 {}

    /// Returns the directed broadcast address of every interface that is up, such as `192.168.1.255`, computed from its real
    /// netmask. They reach networks that `255.255.255.255` does not, since that leaves by one interface only. Loopback and
    /// point-to-point interfaces (VPNs) have none and are left out, and each network is listed once. Asks the system at each
    /// call.
    #[cfg(false)]
    #[func]
    fn get_broadcast_addresses() -> PackedStringArray {}

    /// Sends one copy of `packet`, which may be empty, to `port` (1 to 65535) at each of the
    /// [method get_broadcast_addresses]: so it reaches every network that this machine is on (of two with the same
    /// addresses, one). Needs [method set_broadcast_enabled]; leaves the destination as it is; opens this peer, for IPv4, if
    /// it is not open.
    ///
    /// Returns how many copies the system took; if one was refused, [method get_last_error_message] says why. Returns 0 if
    /// there is no interface with a broadcast address. Returns -1 and prints an error if broadcasts are not enabled, for a
    /// port out of range, on a connected peer, or on one that has IPv6 only (bound to `"::"`, or opened by sending to an
    /// IPv6 address).
    #[cfg(false)]
    #[func]
    fn put_packet_broadcast(packet: PackedByteArray, port: i64) -> i64 {}

    /// Sends one packet to any numeric address, leaving the destination as it is; also an empty `packet`. Opens this peer if
    /// it is not open. A link-local IPv6 address needs its interface: `fe80::1%eth0`.
    ///
    /// Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for an `ip` that is no numeric address, or a port below 0 or
    /// above 65535 (to port 0 the system refuses to send); [constant ERR_LOCKED] on a connected peer; else as
    /// [method PacketPeer.put_packet].
    #[cfg(false)]
    #[func]
    fn send_to(packet: PackedByteArray, ip: GString, port: i64) -> GodotError {}

    /// Returns what this peer has counted since it was created, or since [method reset_stats]:
    /// - `packets_sent`, `bytes_sent`: what the system took;
    /// - `packets_received`, `bytes_received`: what entered this peer's queue and was not dropped there;
    /// - `packets_dropped_queue`: what a full queue dropped, see [member overflow_policy];
    /// - `packets_dropped_kernel`: what the system dropped because its own buffer was full. Linux and Android only, else 0; a
    ///   lower bound, since packets that the system has joined count as one;
    /// - `send_errors`: calls that could not send, or not all that they were given;
    /// - `receive_errors`: failed receives, mostly other hosts' answers that a packet was refused;
    /// - `send_syscalls`, `receive_syscalls`: how often the system was called for it;
    /// - `conditions_lost`, `conditions_duplicated`, `conditions_reordered`, `conditions_corrupted`: packets that
    ///   [member send_conditions] and [member receive_conditions] have lost, doubled, held back for others to overtake, and flipped a
    ///   bit of;
    /// - `conditions_dropped`: packets that were larger than [member UdpLinkConditions.max_packet_size], that found the queue of the line
    ///   full or no room to be held back, or that were held back when the peer was closed;
    /// - `conditions_waiting`: packets that are held back now.
    #[cfg(false)]
    #[func]
    fn get_stats() -> VarDictionary {}

    /// Sets everything that [method get_stats] returns to 0, except `conditions_waiting`.
    #[cfg(false)]
    #[func]
    fn reset_stats() {}

    // Setters and getters cannot be `gd_self`. They take `&self` and do not block, so no other thread has to wait for them.
}

// The constants above are literals, since the class reference shows their source text.
const _: () = assert!(PacketPeerUdpRs::DROP_NEWEST == convert::DROP_NEWEST);
const _: () = assert!(PacketPeerUdpRs::DROP_OLDEST == convert::DROP_OLDEST);
