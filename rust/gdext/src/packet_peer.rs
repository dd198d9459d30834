//! The class `PacketPeerUdpRs`.
//!
//! Its `///` comments are also its pages in the editor's class reference: Markdown, with Godot's `[method name]`,
//! `[member name]` and `[constant name]` links.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the class reference's links are not Rust's")]
#![allow(clippy::needless_pass_by_value, reason = "#[func] takes its arguments by value")]

use std::cell::RefCell;
use std::fmt::Display;
use std::slice;
use std::sync::Arc;

use godot::classes::{IPacketPeerExtension, PacketPeerExtension};
use godot::global::Error as GodotError;
use godot::meta::conv::RawPtr;
use godot::prelude::*;
use packet_peer_udp_core::{DestinationChange, Error, MAX_DATAGRAM, Operation, Peer, Reason, WaitEnd, format_ip};

use crate::convert::to_godot_error;
use crate::registry::{self, Shared};
use crate::report::Limit;

/// How many packets a thread can have in hand at once. Decoding one may run scripts (a property's setter, a `Logger`),
/// and these may take packets of their own.
const IN_HAND: usize = 4;

thread_local! {
    /// The packets that each thread took last, of whichever peers, in turn: what `get_packet()` and `get_var()` read from
    /// after `_get_packet` has returned. Each thread has its own, so that no other's take can change what it is reading.
    static TAKEN: RefCell<Taken> = const { RefCell::new(Taken { packets: [const { Vec::new() }; IN_HAND], next: 0 }) };
}

struct Taken {
    /// Each has room for any datagram from its first use on, and never moves.
    packets: [Vec<u8>; IN_HAND],
    next: usize,
}

impl Taken {
    /// Takes a packet into the place of the oldest.
    fn take(&mut self, peer: &Peer) -> packet_peer_udp_core::Result<Option<&[u8]>> {
        let packet = &mut self.packets[self.next];
        packet.reserve_exact(MAX_DATAGRAM - packet.len());
        if !peer.take(packet)? {
            return Ok(None);
        }
        self.next = (self.next + 1) % IN_HAND;
        Ok(Some(packet))
    }
}

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
/// - [method get_last_error_message] says in the system's words why something failed.
///
/// **Sending:** set a destination with [method set_dest_address] (or connect), then call [method PacketPeer.put_packet] or
/// [method PacketPeer.put_var]. That opens the peer if it is not open. A packet holds up to 65507 bytes; an empty one is
/// not sent. Returns [constant OK] when the system took the packet (UDP does not tell whether it arrived);
/// [constant ERR_UNCONFIGURED] without a destination; [constant ERR_BUSY] if the system's send buffer is full, so try
/// again in the next frame; [constant FAILED] if the system refuses, with the reason in [method get_last_error_message].
///
/// **Receiving:** [method PacketPeer.get_packet] and [method PacketPeer.get_var] take the oldest packet. Where it came from
/// is then in [method get_packet_ip] and [method get_packet_port].
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
    shared: Arc<Shared>,
    base: Base<PacketPeerExtension>,
}

impl PacketPeerUdpRs {
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Drop for PacketPeerUdpRs {
    fn drop(&mut self) {
        registry::remove(&self.shared);
        // A call in another thread may still hold on to the peer; the socket is closed now all the same.
        self.shared.peer.close();
    }
}

#[godot_api]
impl IPacketPeerExtension for PacketPeerUdpRs {
    // The two that the engine requires cannot be `gd_self`. Neither blocks, prints or calls the engine.

    fn get_available_packet_count(&self) -> i32 {
        match self.shared.peer.available() {
            Some(count) => i32::try_from(count).unwrap_or(i32::MAX),
            None => -1,
        }
    }

    fn get_max_packet_size(&self) -> i32 {
        MAX_PAYLOAD_IPV4
    }

    #[func(gd_self)]
    unsafe fn get_packet_rawptr(
        this: Gd<Self>,
        r_buffer: RawPtr<*mut RawPtr<*const u8>>,
        r_buffer_size: RawPtr<*mut i32>,
    ) -> GodotError {
        let shared = registry::of(&this);
        TAKEN.with_borrow_mut(|taken| match taken.take(&shared.peer) {
            Ok(Some(packet)) => {
                let size = i32::try_from(packet.len()).unwrap_or(0);
                // SAFETY: the engine passes the address of a `const uint8_t *` of its own to be filled in. What it is
                // filled with points to the packet's bytes in TAKEN. They are this thread's own; the engine copies or
                // decodes them on this thread as soon as this function has returned. They stay as they are until this
                // thread has taken IN_HAND more packets. Even if decoding runs a script that takes so many, the pointer
                // stays good, since the buffers never reallocate (no packet is larger than the capacity they have from
                // the start) and live as long as the thread: the bytes then change under the decoder, which checks what
                // it reads against the size that it was given.
                unsafe { r_buffer.ptr().cast::<*const u8>().write(packet.as_ptr()) };
                // SAFETY: likewise the address of an `int32_t` of the engine's own, to be filled in.
                unsafe { r_buffer_size.ptr().write(size) };
                GodotError::OK
            }
            Ok(None) => GodotError::ERR_UNAVAILABLE,
            Err(error) => to_godot_error(&error),
        })
    }

    #[func(gd_self)]
    unsafe fn put_packet_rawptr(this: Gd<Self>, p_buffer: RawPtr<*const u8>, p_buffer_size: i32) -> GodotError {
        let shared = registry::of(&this);
        let size = usize::try_from(p_buffer_size).unwrap_or(0);
        let packet = if size == 0 || p_buffer.ptr().is_null() {
            &[]
        } else {
            // SAFETY: the engine passes a pointer to `p_buffer_size` readable bytes, which it keeps, unchanged, until
            // this call returns; the slice does not live longer.
            unsafe { slice::from_raw_parts(p_buffer.ptr(), size) }
        };
        // As in the engine: a send that the system refuses is answered, not printed.
        answer(&shared, "put_packet", shared.peer.send(packet), |error| match error.reason {
            Reason::NoDestination => {
                Some("there is no destination; call set_dest_address() or connect_to_host() first.".to_owned())
            }
            Reason::WrongFamily(_) => Some(format!("{error}. {OTHER_FAMILY}")),
            Reason::NoSocket(_) => Some(no_socket(error)),
            _ => None,
        })
    }
}

/// IPv6 could carry 20 bytes more; scripts that must reach everybody count on this.
const MAX_PAYLOAD_IPV4: i32 = 65_507;

const OTHER_FAMILY: &str = "Bind the peer to \"*\" to reach both IPv4 and IPv6, or call close() first.";

#[godot_api]
impl PacketPeerUdpRs {
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
    /// system sets a limit: `net.core.rmem_max` on Linux). What fits in neither is dropped by the system, newest first.
    ///
    /// Returns [constant OK]; [constant ERR_ALREADY_IN_USE] if this peer is open already; [constant
    /// ERR_INVALID_PARAMETER] for a port out of range or a text that is no numeric address; [constant ERR_UNAVAILABLE] if
    /// the port is taken or no interface has the address (see [method get_last_error_message]); [constant
    /// ERR_CANT_CREATE] if the system has no socket to give.
    #[func(gd_self)]
    fn bind(
        this: Gd<Self>,
        port: i64,
        #[opt(default = "*")] bind_address: GString,
        #[opt(default = 65536)] recv_buf_size: i64,
    ) -> GodotError {
        let shared = registry::of(&this);
        let result = shared.peer.bind(port, &bind_address.to_string(), recv_buf_size);
        answer(&shared, "bind", result, |error| match error.reason {
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
            Reason::NoSocket(_) => Some(no_socket(error)),
            _ => None,
        })
    }

    /// Closes this peer. When this returns, its port can be bound again, nothing is queued, and every [method wait] in
    /// progress, on any thread, returns [constant ERR_UNAVAILABLE].
    ///
    /// The destination, [method get_packet_ip] and [method get_packet_port], and whether broadcasts are enabled are
    /// kept. Closing a closed peer does nothing.
    #[func(gd_self)]
    fn close(this: Gd<Self>) {
        registry::of(&this).peer.close();
    }

    /// Connects this peer to one `host` and `port` (1 to 65535): packets are sent there, and packets from anyone else
    /// are not received. Opens the peer if it is not open; packets that were queued are dropped.
    ///
    /// `host` is a numeric address, or a host name, which is resolved in the call: that may block for seconds, so call
    /// it in a [Thread] for names. UDP has no handshake; that this returns [constant OK] does not mean that anybody
    /// listens there.
    ///
    /// Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for a port out of range or a text that can be neither
    /// address nor name; [constant ERR_CANT_RESOLVE] for a name that does not resolve; [constant ERR_UNAVAILABLE] if
    /// [method close] was called while the name was looked up; [constant ERR_CANT_OPEN] if the system has no socket to
    /// give; [constant FAILED] if it refuses to connect, and then the peer is closed.
    #[func(gd_self)]
    fn connect_to_host(this: Gd<Self>, host: GString, port: i64) -> GodotError {
        let shared = registry::of(&this);
        let result = shared.peer.connect(&host.to_string(), port);
        answer(&shared, "connect_to_host", result, |error| {
            Some(match &error.reason {
                // Whoever closed it knows.
                Reason::Closed => return None,
                Reason::InvalidPort(port) => format!("port {port} is out of range; use 1 to 65535."),
                Reason::InvalidAddress => {
                    format!("\"{host}\" is neither an IP address nor a host name; give one of the two.")
                }
                Reason::Unresolvable(_) => {
                    format!("{error}. Check the name and the machine's network, or use a numeric address.")
                }
                Reason::NoSocket(_) => no_socket(error),
                Reason::WrongFamily(_) => {
                    format!("{error}. The peer is closed now; bind it to \"*\" to reach both IPv4 and IPv6.")
                }
                _ => format!("{error}. The peer is closed now; check the address and the machine's network."),
            })
        })
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
    /// IPv4 addresses are written plainly, IPv6 addresses as eight groups (`0:0:0:0:0:0:0:1`). If several threads take
    /// packets from one peer, this is about the last packet that any of them took: where each needs to know the sender of
    /// its own, they must take turns (with a [Mutex]).
    #[func(gd_self)]
    fn get_packet_ip(this: Gd<Self>) -> GString {
        match registry::of(&this).peer.sender() {
            Some(sender) => GString::from(&format_ip(sender.ip())),
            None => GString::new(),
        }
    }

    /// Returns the port that the last packet taken came from; 0 before the first.
    #[func(gd_self)]
    fn get_packet_port(this: Gd<Self>) -> i64 {
        registry::of(&this).peer.sender().map_or(0, |sender| sender.port().into())
    }

    /// Returns whether this peer is open: by [method bind], or by connecting, sending or joining a group.
    #[func(gd_self)]
    fn is_bound(this: Gd<Self>) -> bool {
        registry::of(&this).peer.is_open()
    }

    /// Returns whether this peer is connected by [method connect_to_host].
    #[func(gd_self)]
    fn is_socket_connected(this: Gd<Self>) -> bool {
        registry::of(&this).peer.is_connected()
    }

    /// Joins the multicast group `multicast_address` on an interface, opening the peer if it is not open.
    ///
    /// `interface_name` is a name as [method IP.get_local_interfaces] gives it, or `""` to let the
    /// system choose. To receive packets sent to a port, [method bind] to that port first.
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
        if let Err(error) = shared.peer.set_broadcast(enabled) {
            complain(&shared, "set_broadcast_enabled", &format_args!("the system refuses: {error}"));
        }
    }

    /// Sets the destination of [method PacketPeer.put_packet] and [method PacketPeer.put_var]. It is kept when this peer
    /// is closed, and may be set before it is opened.
    ///
    /// `host` is a numeric address, or a host name, which is resolved in the call: that may block for seconds, so call
    /// it in a [Thread] for names (an answer is remembered for five minutes). If a name has several addresses, the first that this peer's socket can send to is
    /// taken. Of `port` only the lower 16 bits count, as in [PacketPeerUDP]; sending to port 0 fails.
    ///
    /// Returns [constant OK]; [constant ERR_CANT_RESOLVE] for a text that does not resolve, and the destination stays
    /// what it was. On a connected peer this prints an error and changes nothing.
    #[func(gd_self)]
    fn set_dest_address(this: Gd<Self>, host: GString, port: i64) -> GodotError {
        let shared = registry::of(&this);
        match shared.peer.set_destination(&host.to_string(), port) {
            Ok(DestinationChange::Set) => GodotError::OK,
            Ok(DestinationChange::Connected) => {
                let text = format!(
                    "the peer is connected, so its destination cannot become {host} port {port}; call close() first, \
                     or connect_to_host() to connect elsewhere."
                );
                complain(&shared, "set_dest_address", &text);
                GodotError::OK
            }
            Err(error) => to_godot_error(&error),
        }
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
    /// there for scripts written for engines whose [PacketPeerUDP] has such a method.
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
            Some(address) => GString::from(&format_ip(address.ip())),
            None => GString::new(),
        }
    }

    /// Returns the system's code (`errno`; on Windows Winsock's) of what the last failed call ran into; 0 if
    /// none failed, if the system was not asked, or if it was its resolver, which has no such codes. A call that succeeds does not clear it.
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
}

/// Turns a result into the script's `Error`, and prints what `remedy` says of the failure, if anything.
fn answer(
    shared: &Shared,
    member: &'static str,
    result: packet_peer_udp_core::Result<()>,
    remedy: impl FnOnce(&Error) -> Option<String>,
) -> GodotError {
    match result {
        Ok(()) => GodotError::OK,
        Err(error) => {
            if let Some(text) = remedy(&error) {
                complain(shared, member, &text);
            }
            to_godot_error(&error)
        }
    }
}

/// Prints a line about the misuse of a member that `PacketPeerUDP` has too.
fn complain(shared: &Shared, member: &'static str, text: &dyn Display) {
    shared.reporter.print(member, Limit::Native, text);
}

fn group_remedy(error: &Error) -> String {
    match &error.reason {
        Reason::NotOpen => format!("{error}; call bind() first."),
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
        _ => format!("{error}. Check that it is a multicast address, and that it was not joined already."),
    }
}

fn no_socket(error: &Error) -> String {
    format!("{error}. Close sockets or files that are no longer needed.")
}

/// `None` where the peer is not open.
fn local_port(shared: &Shared) -> Option<i64> {
    shared.peer.local_addr().map(|address| address.port().into())
}
