//! What a line in the log says: what is wrong, and the remedy. `None` where nothing is printed, as with the engine's classes.
//!
//! An [`Error`] that the system has caused has its remedy in its own text, which `get_last_error_message()` returns too.

use std::fmt::Display;

use godot::builtin::GString;
use packet_peer_udp_core::{Error, Operation, Peer, Reason, interface_list_refusal};

use crate::convert::truncated_port;

/// A port that packets are sent to is out of range.
fn no_such_port(port: i64) -> String {
    format!("port {port} is out of range; use 1 to 65535.")
}

const NO_DESTINATION: &str = "there is no destination; call set_dest_address() or connect_to_host() first. (A peer that its \
     server has closed for its silence has no destination any more: drop it.)";

/// A call that a server's peer refuses.
pub(crate) const OF_SERVER: &str = "the peer belongs to a server and talks to its one client; use another PacketPeerUdpRs for \
     that. (close() would end this connection.)";

const OTHER_FAMILY: &str = "Call close() first; bound to \"*\" again, the peer reaches both IPv4 and IPv6.";

const CONNECTED: &str = "the peer is connected and sends to no other address; call close() first";

/// A getter or a take on a closed peer.
pub(crate) const NOT_OPEN: &str = "the peer is not open; call bind() first.";

pub(crate) const NO_LOCAL_PORT: &str = "the peer is not open, so it has no port; call bind() first.";

pub(crate) const SERVER_HAS_NO_PORT: &str = "the server does not listen, so it has no port; call listen() first.";

pub(crate) const PROXY_HAS_NO_PORT: &str = "the proxy does not run, so it has no port; call start() first.";

/// For `bind()`.
pub(crate) fn bind(error: &Error, peer: &Peer, address: &GString) -> Option<String> {
    match &error.reason {
        Reason::AlreadyOpen if peer.is_accepted() => Some(OF_SERVER.to_owned()),
        Reason::AlreadyOpen => {
            let port = peer.local_addr().map_or(0, |address| address.port());
            Some(format!("the peer is already open on port {port}; call close() first."))
        }
        Reason::InvalidPort(port) => {
            Some(format!("port {port} is out of range; use 1 to 65535, or 0 for one that the system chooses."))
        }
        Reason::UnknownInterface(name) => Some(no_such_scope(name, address)),
        _ => local_address(error, address),
    }
}

/// For `listen()`; `port` is the one that the server listens on, if it does.
pub(crate) fn listen(error: &Error, port: Option<u16>, address: &GString) -> Option<String> {
    match &error.reason {
        Reason::AlreadyOpen => {
            Some(format!("the server already listens on port {}; call stop() first.", port.unwrap_or(0)))
        }
        Reason::UnknownInterface(name) => Some(no_such_scope(name, address)),
        _ => local_address(error, address),
    }
}

/// The error of a relay that is started while it runs.
pub(crate) fn runs_already(address: &str) -> Error {
    Error::new(Operation::Bind, address, Reason::AlreadyOpen)
}

/// For `start()` of a relay; `port` is the one that it listens on, if it runs.
pub(crate) fn start(error: &Error, port: Option<u16>, host: &GString, address: &GString) -> String {
    let text = match (&error.reason, error.operation) {
        (Reason::AlreadyOpen, _) => {
            Some(format!("the proxy already runs, on port {}; call stop() first.", port.unwrap_or(0)))
        }
        (Reason::Closed, _) => Some("stop() was called meanwhile.".to_owned()),
        (Reason::InvalidPort(port), Operation::Bind) => {
            Some(format!("listen_port {port} is out of range; use 1 to 65535, or 0 for one that the system chooses."))
        }
        (Reason::InvalidPort(port), _) => Some(format!("target_port {port} is out of range; use 1 to 65535.")),
        (Reason::Unresolvable(_), _) => {
            Some(format!("{error}. Check the name and the machine's network, or use a numeric address."))
        }
        (Reason::UnknownInterface(name), Operation::Bind) => Some(no_such_scope(name, address)),
        (_, Operation::Bind) => local_address(error, address),
        _ => resolve(error, host),
    };
    text.unwrap_or_else(|| format!("{error}."))
}

/// For `listen()` with a port out of range, which listens all the same, on `bound`.
pub(crate) fn listens_on(port: i64, bound: Option<u16>) -> String {
    format!(
        "port {port} is out of range, so its lower 16 bits count: {}; use 1 to 65535, or 0 for one that the system chooses.",
        bound.unwrap_or(0)
    )
}

/// An address to bind to.
fn local_address(error: &Error, address: &GString) -> Option<String> {
    match &error.reason {
        Reason::InvalidAddress => Some(format!(
            "\"{address}\" is not a numeric IP address; use \"*\" for every interface, or the address of one."
        )),
        Reason::NoScope(_) | Reason::NoSocket(_) => Some(format!("{error}.")),
        _ => None,
    }
}

/// For `connect_to_host()` and `connect_to_host_async()`.
pub(crate) fn connect(error: &Error, host: &GString) -> Option<String> {
    match &error.reason {
        // Caused by another call of the game's own.
        Reason::Closed | Reason::Superseded => None,
        Reason::Accepted => Some(OF_SERVER.to_owned()),
        Reason::InvalidPort(port) => Some(no_such_port(*port)),
        Reason::Unresolvable(_) => {
            Some(format!("{error}. Check the name and the machine's network, or use a numeric address."))
        }
        _ => resolve(error, host).or_else(|| Some(no_connection(error))),
    }
}

/// For a host that cannot be looked up.
pub(crate) fn resolve(error: &Error, host: &GString) -> Option<String> {
    match &error.reason {
        Reason::InvalidAddress => {
            Some(format!("\"{host}\" is neither an IP address nor a host name; give one of the two."))
        }
        Reason::UnknownInterface(name) => Some(no_such_scope(name, host)),
        Reason::NoThread(_) => Some(format!("{error}.")),
        _ => None,
    }
}

/// For an address that the system does not connect to.
pub(crate) fn no_connection(error: &Error) -> String {
    match &error.reason {
        Reason::NoSocket(_) => format!("{error}."),
        Reason::WrongFamily(_) => {
            format!("{error}. The peer is closed now; bound to \"*\", it reaches both IPv4 and IPv6.")
        }
        _ => format!("{error}. The peer is closed now."),
    }
}

/// For a connected peer, whose destination cannot be set.
pub(crate) fn fixed_destination(peer: &Peer, host: &GString, port: i64) -> String {
    if peer.is_accepted() {
        return format!("{OF_SERVER} (Its destination cannot become {host} port {port}.)");
    }
    format!(
        "the peer is connected, so its destination cannot become {host} port {port}; call close() first, or \
         connect_to_host() to connect elsewhere."
    )
}

/// For `join_multicast_group()` and `leave_multicast_group()`.
pub(crate) fn group(error: &Error) -> String {
    match &error.reason {
        Reason::NotOpen => format!("{error}; call bind() first."),
        Reason::Accepted => OF_SERVER.to_owned(),
        Reason::InvalidAddress => {
            format!("\"{}\" is not a numeric IP address; give that of a multicast group.", error.subject)
        }
        Reason::UnknownInterface(name) => no_such_interface(name, "an IPv4 address"),
        Reason::WrongFamily(_) => format!("{error}. {OTHER_FAMILY}"),
        _ => format!("{error}."),
    }
}

/// For `set_broadcast_enabled()`.
pub(crate) fn set_broadcast(error: &Error) -> String {
    match error.reason {
        Reason::Accepted => OF_SERVER.to_owned(),
        _ => format!("{error}."),
    }
}

/// For `put_packet()`. Nothing for a send that the system refuses: the engine's class prints nothing either.
pub(crate) fn put_packet(error: &Error) -> Option<String> {
    match &error.reason {
        Reason::NoDestination => Some(NO_DESTINATION.to_owned()),
        Reason::WrongFamily(_) => Some(format!("{error}. {OTHER_FAMILY}")),
        Reason::NoScope(_) | Reason::NoSocket(_) => Some(format!("{error}.")),
        Reason::NoSuchAddress => {
            Some(format!("{error}; set source_address to another one, or to \"\" for the system's choice."))
        }
        _ => None,
    }
}

/// For a send that the system has refused, where the script has set a destination's port that there is not: `port`.
pub(crate) fn destination_port(port: i64, reason: &str) -> String {
    let used = truncated_port(port);
    format!(
        "the destination's port was given as {port}, which is out of range, so its lower 16 bits count: {used}; use 1 to 65535. \
         ({reason})"
    )
}

/// For `send_to()`.
pub(crate) fn send_to(error: &Error, ip: &GString) -> Option<String> {
    match &error.reason {
        Reason::InvalidAddress => {
            Some(format!("\"{ip}\" is not a numeric IP address; resolve a name with set_dest_address_async()."))
        }
        Reason::UnknownInterface(name) => Some(no_such_scope(name, ip)),
        Reason::InvalidPort(port) => Some(no_such_port(*port)),
        Reason::Accepted => Some(OF_SERVER.to_owned()),
        Reason::Connected => Some(format!("{CONNECTED}, or use put_packet().")),
        _ => put_packet(error),
    }
}

/// For a member that sends several packets.
pub(crate) fn send_many(error: &Error) -> String {
    match &error.reason {
        Reason::InvalidSegment(size) => format!("segment_size is {size}; use 1 to 65507."),
        Reason::InvalidPort(port) => no_such_port(*port),
        Reason::NoBroadcast => "broadcasts are not enabled; call set_broadcast_enabled(true) first.".to_owned(),
        Reason::Connected => format!("{CONNECTED}."),
        Reason::Accepted => OF_SERVER.to_owned(),
        _ => put_packet(error).unwrap_or_else(|| format!("{error}.")),
    }
}

/// For `put_packet_to()`; `is_open` is whether the peer that is not the server's is open.
pub(crate) fn put_packet_to(error: &Error, is_open: bool) -> String {
    match &error.reason {
        Reason::NotOpen => "the server does not listen, so it sends nothing; call listen() first.".to_owned(),
        Reason::NotOfServer(index) if is_open => {
            format!(
                "the peer at index {index} is none that this server has handed out, so nothing was sent; leave it out."
            )
        }
        Reason::NotOfServer(index) => format!(
            "the peer at index {index} is closed, so nothing was sent; leave out peers whose is_socket_connected() is false."
        ),
        _ => put_packet(error).unwrap_or_else(|| format!("{error}.")),
    }
}

/// For `put_packet_to()` with an element of another type.
pub(crate) fn no_peer(index: usize) -> String {
    format!("the element at index {index} is no PacketPeerUdpRs, so nothing was sent; leave it out.")
}

/// For `put_packet_to()` where the system has taken the packet for none of the peers, for this reason.
pub(crate) fn sent_to_nobody(reason: &str) -> String {
    format!("no peer was sent the packet: {reason}.")
}

/// For `get_packets()` and `get_packets_joined()` that have ended early.
pub(crate) const NO_MEMORY_FOR_METADATA: &str = "there is not enough memory for more packets, which stay in the queue; take fewer at \
     a time, by max_packets.";

/// For `put_packets()` with an element of another type.
pub(crate) fn no_packet(index: usize, found: impl Display) -> String {
    format!("packets[{index}] is no PackedByteArray but of type {found}; nothing was sent.")
}

/// For `put_packets()` with more elements than there is memory to list.
pub(crate) fn no_memory_for_list(elements: usize) -> String {
    format!("there is not enough memory to list {elements} elements; nothing was sent. Send fewer at a time.")
}

/// For `get_packets()` and `get_packets_joined()`; `unit` is "packets" or "bytes".
pub(crate) fn no_memory_for_packets(lost: usize, unit: &str) -> String {
    format!("there is not enough memory for {lost} {unit}, which are lost; take fewer at a time, by max_packets.")
}

/// For a number of packets to take that makes no sense.
pub(crate) fn max_packets(max_packets: i64) -> String {
    format!("max_packets is {max_packets}; use -1 for all there are, or 0 and more.")
}

/// For `wait()`.
pub(crate) fn wait(error: &Error) -> String {
    match error.reason {
        Reason::InvalidTimeout(msec) => {
            format!("timeout_msec is {msec}; use -1 to wait as long as it takes, or 0 and more.")
        }
        Reason::NotOpen => {
            "the peer is not open, so there is nothing to wait for; call bind() first, or see why it failed.".to_owned()
        }
        _ => format!("{error}."),
    }
}

/// For a property that stays as it was; `range` is what a number may be.
pub(crate) fn refused_property(error: &Error, range: &str) -> String {
    match error.reason {
        Reason::OutOfRange(value) => format!("{value} is out of range; {range}."),
        _ => refused_option(error),
    }
}

/// The options that a server has as well as a peer of its own.
const OPTIONS_OF_SERVERS: [&str; 8] = [
    "background_receive",
    "queue_size",
    "receive_buffer_size",
    "reuse_address",
    "reuse_port",
    "send_buffer_size",
    "time_to_live",
    "traffic_class",
];

/// For an option that the system refuses, or that is the server's.
pub(crate) fn refused_option(error: &Error) -> String {
    match &error.reason {
        Reason::Accepted => {
            // The subject is "<option> to <value>".
            let option = error.subject.split(' ').next().unwrap_or_default();
            if OPTIONS_OF_SERVERS.contains(&option) {
                format!("the peer belongs to a server and uses its socket; set {option} on the server.")
            } else {
                format!(
                    "the peer belongs to a server, and servers have no {option}; use another PacketPeerUdpRs for that."
                )
            }
        }
        Reason::UnknownInterface(name) => no_such_interface(name, "a fitting address"),
        Reason::InvalidAddress => {
            format!("{error}; give one of IP.get_local_addresses(), or \"\" for the system's choice.")
        }
        Reason::NoSuchAddress => {
            format!("{error}; IP.get_local_addresses() lists them, and \"\" leaves the choice to the system.")
        }
        _ => format!("the system refuses: {error}."),
    }
}

/// For a queue that has dropped packets for the first time since its peer was opened. It may hold `limit` bytes.
pub(crate) fn queue_has_dropped(limit: usize, is_accepted: bool) -> String {
    let owner = if is_accepted { "the server's queue_size" } else { "queue_size" };
    format!(
        "the queue of {limit} bytes is full and drops packets; a packet takes its length and 24 more. Take all packets once a \
         frame, for instance with background_receive when packets_available is emitted, or set {owner} to more."
    )
}

/// For an `overflow_policy` that there is not.
pub(crate) fn overflow_policy(policy: i64) -> String {
    format!("{policy} is no policy; use DROP_NEWEST (0) or DROP_OLDEST (1).")
}

/// What the size of a buffer may be.
pub(crate) const BUFFER_RANGE: &str = "use 1 to 2147483647, or 0 for the default";

/// What `queue_size` of a peer may be.
pub(crate) const QUEUE_RANGE: &str = "use 1 to 2147483647 bytes, or 0 for what recv_buf_size says";

/// What `queue_size` of a server may be.
pub(crate) const PEERS_QUEUE_RANGE: &str = "use 1 to 2147483647 bytes, or 0 for 65536";

/// What `max_pending_connections` may be.
pub(crate) const PENDING_RANGE: &str = "use 0 to 4294967295; 0 admits no new connection";

/// What `peer_timeout_msec` may be.
pub(crate) const TIMEOUT_RANGE: &str = "use 0 to 4294967295; 0 for never";

/// What a hop limit may be.
pub(crate) const HOPS_RANGE: &str = "use 1 to 255, or 0 for the system's default";

/// What a property of one byte may be.
pub(crate) const BYTE_RANGE: &str = "use 0 to 255";

/// For a property of link conditions that stays as it was; `range` is what it may be.
pub(crate) fn out_of_range(value: impl Display, range: &str) -> String {
    format!("{value} is out of range; {range}.")
}

/// What `client_timeout_msec` of a relay may be.
pub(crate) const CLIENT_TIMEOUT_RANGE: &str = "use 1 to 4294967295 milliseconds, or 0 for never";

/// What `max_clients` of a relay may be.
pub(crate) const CLIENTS_RANGE: &str = "use 0 to 4294967295; with 0 no client is let in";

/// What a share of all packets may be.
pub(crate) const SHARE_RANGE: &str = "use 0 to 1, the share of all packets";

/// What `loss_burst` may be.
pub(crate) const BURST_RANGE: &str = "use 1 to 4294967295; with 1 each packet is lost by itself";

/// What a time may be.
pub(crate) const MSEC_RANGE: &str = "use 0 to 4294967295 milliseconds";

/// What `bandwidth_kbps` may be.
pub(crate) const BANDWIDTH_RANGE: &str = "use 1 to 4294967295, or 0 for no limit";

/// What `max_packet_size` may be.
pub(crate) const PACKET_SIZE_RANGE: &str = "use 1 to 65535 bytes, or 0 for no limit";

/// What `jitter_distribution` may be.
pub(crate) const JITTERS: &str = "use JITTER_UNIFORM (0), JITTER_NORMAL (1) or JITTER_LONG_TAIL (2)";

fn no_such_scope(name: &str, address: &GString) -> String {
    no_interface_list().unwrap_or_else(|| {
        format!("there is no interface \"{name}\", which \"{address}\" asks for; IP.get_local_interfaces() lists them.")
    })
}

fn no_such_interface(name: &str, address: &str) -> String {
    no_interface_list().unwrap_or_else(|| {
        format!(
            "there is no interface \"{name}\" with {address}; IP.get_local_interfaces() lists them, and \"\" leaves the choice \
             to the system."
        )
    })
}

/// Where the system does not list its interfaces, there may be one of the name that a script has passed.
pub(crate) fn no_interface_list() -> Option<String> {
    interface_list_refusal().map(|words| format!("the system does not list its interfaces: {words}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    use packet_peer_udp_core::Operation;

    #[test]
    fn a_peer_of_a_server_is_told_where_an_option_is_set_if_servers_have_it() {
        let refused = |option| {
            let error = Error::new(Operation::SetOption, format!("{option} to 1"), Reason::Accepted);
            refused_property(&error, "")
        };
        for option in OPTIONS_OF_SERVERS {
            let text = refused(option);
            assert!(text.contains(&format!("set {option} on the server")), "{text}");
        }
        for option in ["multicast_interface", "multicast_loopback", "multicast_time_to_live", "source_address"] {
            let text = refused(option);
            assert!(text.contains(&format!("servers have no {option}")), "{text}");
            assert!(!text.contains("on the server"), "{text}");
        }
    }

    #[test]
    fn a_full_queue_names_its_limit_and_whose_size_is_to_be_set() {
        let own = queue_has_dropped(131_071, false);
        let of_server = queue_has_dropped(65_535, true);
        for (text, words) in
            [(&own, ["131071 bytes", "or set queue_size to more"]), (&of_server, ["65535", "server's"])]
        {
            for word in words.into_iter().chain(["once a frame", "background_receive"]) {
                assert!(text.contains(word), "{text:?} lacks {word:?}");
            }
        }
        assert!(!own.contains("server"));
    }

    #[test]
    fn a_destination_port_that_there_is_not_is_named_with_the_one_that_is_used() {
        for (port, used) in [(65_536, "0;"), (70_000, "4464;"), (-1, "65535;")] {
            let text = destination_port(port, "the reason");
            for word in [&port.to_string(), &format!("count: {used}"), "1 to 65535", "(the reason)"] {
                assert!(text.contains(word), "{text:?} lacks {word:?}");
            }
        }
    }
}
