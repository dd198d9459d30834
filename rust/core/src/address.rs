//! Addresses as text: read strictly, written the way the engine writes them.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Reads a numeric address; `None` for anything else, host names included.
///
/// As in the engine, the numbers of an IPv4 address are decimal also with zeros in front (`127.000.000.001`), and an
/// IPv4-mapped IPv6 address (`::ffff:1.2.3.4`) is the IPv4 address that it stands for.
pub(crate) fn parse_ip(text: &str) -> Option<IpAddr> {
    parse_ipv4(text).or_else(|| text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()))
}

fn parse_ipv4(text: &str) -> Option<IpAddr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// Writes an address as the engine's `PacketPeerUDP.get_packet_ip()` does: IPv4 plainly (also when it reached us
/// through a dual-stack socket), IPv6 as eight groups without `::`.
#[must_use]
pub fn format_ip(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

/// Whether `text` could be a host name at all, so that asking a resolver makes sense: letters (of any script), digits
/// and `-`, `_`, `.`; a numeric IPv6 address with a scope (`fe80::1%eth0`) is the resolver's business too.
#[must_use]
pub(crate) fn may_be_host(text: &str) -> bool {
    if let Some((ip, scope)) = text.split_once('%') {
        return !scope.is_empty() && matches!(parse_ip(ip), Some(IpAddr::V6(_)));
    }
    !text.is_empty()
        && text.len() <= 253
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && text.chars().any(char::is_alphanumeric)
}

/// The address as a dual-stack socket wants it: IPv4 mapped into IPv6.
pub(crate) fn to_mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        SocketAddr::V6(_) => address,
    }
}

/// The address without such a mapping; the scope of a link-local address is kept.
pub(crate) fn to_canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Whether two addresses are the same host and port. The scope is not compared: a system may leave it out of one of them.
pub(crate) fn is_same_host_and_port(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() == other.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_engine_writes_them() {
        for (given, written) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.000.010.001", "127.0.10.1"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::1", "0:0:0:0:0:0:0:1"),
            ("::", "0:0:0:0:0:0:0:0"),
            ("FE80::AbCd:1", "fe80:0:0:0:0:0:abcd:1"),
        ] {
            assert_eq!(format_ip(parse_ip(given).unwrap()), written);
        }
    }

    #[test]
    fn only_whole_numeric_addresses_are_read() {
        for text in [
            "",
            "*",
            "localhost",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            "+1.2.3.4",
            "256.1.1.1",
            "1.2.3.4 ",
            "::1%lo",
            "[::1]",
            "1::2::3",
        ] {
            assert_eq!(parse_ip(text), None, "{text:?}");
        }
    }

    #[test]
    fn text_that_can_be_no_host_is_told_from_names() {
        for name in ["localhost", "a", "my_host.lan", "1.2.3", "bücher.example", "fe80::1%eth0"] {
            assert!(may_be_host(name), "{name:?}");
        }
        for text in ["", " ", "a b", "*", "...", "::zz", "a\0b", "fe80::1%", "10.0.0.1%eth0", &"a".repeat(254)] {
            assert!(!may_be_host(text), "{text:?}");
        }
    }

    #[test]
    fn mapping_and_unmapping_are_inverse() {
        for text in ["1.2.3.4:5", "[::1]:6", "[fe80::1%3]:7"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(to_canonical(to_mapped(address)), address);
        }
    }
}
