//! Addresses as text: read strictly, written the way the engine writes them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::error::Reason;
use crate::interface;

/// Reads a numeric address, with port 0; `None` for anything else, host names included.
///
/// A link-local IPv6 address is valid on one interface only and may name it, as `fe80::1%eth0` or by its number (RFC 4007,
/// section 11); so may a multicast address of link-local scope. To find the interface may list all of them.
pub(crate) fn parse_scoped(text: &str) -> Result<Option<SocketAddr>, Reason> {
    let Some((text, scope)) = text.split_once('%') else {
        return Ok(parse_ip(text).map(|ip| SocketAddr::new(ip, 0)));
    };
    let ip = match parse_ip(text) {
        Some(IpAddr::V6(ip)) if is_of_one_link(ip) && !scope.is_empty() => ip,
        _ => return Ok(None),
    };
    let index = interface::scope_of(scope).map_err(Reason::NoInterfaceList)?;
    let index = index.ok_or_else(|| Reason::UnknownInterface(scope.to_owned()))?;
    Ok(Some(SocketAddrV6::new(ip, 0, 0, index).into()))
}

/// As [`parse_scoped`]; besides, any other IPv6 address may name an interface by its number, which has no effect: `::1%1`. The system's
/// resolver takes such text (RFC 4007 gives every address a zone), so the engine does where it resolves a host.
pub(crate) fn parse_resolvable(text: &str) -> Result<Option<SocketAddr>, Reason> {
    if let Some(address) = parse_scoped(text)? {
        return Ok(Some(address));
    }
    let Some((text, zone)) = text.split_once('%') else { return Ok(None) };
    let is_number = zone.bytes().all(|byte| byte.is_ascii_digit()) && zone.parse::<u32>().is_ok();
    let ip = parse_ip(text).filter(|_| is_number && text.contains(':'));
    Ok(ip.map(|ip| SocketAddr::new(ip, 0)))
}

/// Whether an address is valid on one link only: link-local ones, and multicast of interface-local or link-local scope (RFC 4291,
/// section 2.7).
pub(crate) fn is_of_one_link(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || (ip.is_multicast() && matches!(ip.segments()[0] & 0xf, 1 | 2))
}

/// Whether an address may belong to several hosts, because it does not name its link. A multicast address does not: it goes out
/// by the interface that the socket chooses.
pub(crate) fn lacks_scope(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// Whether an address names the link that it is valid on.
pub(crate) fn has_scope(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0)
}

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

/// Writes an address, without its port, as the engine's `PacketPeerUDP.get_packet_ip()` does: IPv4 plainly (also when it
/// came by a dual-stack socket), IPv6 as eight groups without `::`. Beyond that, a link-local address ends in the interface that
/// it is valid on: `fe80:0:0:0:0:0:0:1%eth0`.
#[must_use]
pub fn format_address(address: SocketAddr) -> String {
    match to_canonical(address) {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => {
            let mut text = v6.ip().segments().map(|group| format!("{group:x}")).join(":");
            if is_of_one_link(*v6.ip()) && v6.scope_id() != 0 {
                text.push('%');
                text.push_str(&interface::scope_text(v6.scope_id()));
            }
            text
        }
    }
}

/// Writes an address with its port for a message; the scope as [`format_address`] writes it.
pub(crate) fn describe(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            format!("[{}%{}]:{}", v6.ip(), interface::scope_text(v6.scope_id()), v6.port())
        }
        _ => address.to_string(),
    }
}

/// Whether `text` could be a host name, so that it is worth asking a resolver: letters of any script, digits and `-`, `_`, `.`.
#[must_use]
pub(crate) fn may_be_host(text: &str) -> bool {
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
            assert_eq!(format_address(SocketAddr::new(parse_ip(given).unwrap(), 9)), written);
        }
    }

    #[test]
    fn addresses_of_one_link_are_read_and_written_with_their_interface() {
        let scope = interface::scope_text(1);
        for (given, index, written) in [
            ("fe80::1", 0, "fe80:0:0:0:0:0:0:1".to_owned()),
            ("fe80::1%1", 1, format!("fe80:0:0:0:0:0:0:1%{scope}")),
            (&format!("fe80::1%{scope}"), 1, format!("fe80:0:0:0:0:0:0:1%{scope}")),
            ("ff02::1%1", 1, format!("ff02:0:0:0:0:0:0:1%{scope}")),
        ] {
            let Ok(Some(SocketAddr::V6(address))) = parse_scoped(given) else { panic!("{given}") };
            assert_eq!(address.scope_id(), index, "{given}");
            assert_eq!(format_address(address.into()), written);
        }
        assert!(matches!(parse_scoped("fe80::1%nowhere"), Err(Reason::UnknownInterface(name)) if name == "nowhere"));
        // Addresses without a link, text that is no address, and an empty scope.
        for text in ["::1%1", "2001:db8::1%1", "ff05::1%1", "10.0.0.1%1", "fe80::1%", "%1", "localhost", "localhost%1"]
        {
            assert!(matches!(parse_scoped(text), Ok(None)), "{text:?}");
        }
    }

    #[test]
    fn a_resolver_takes_a_zone_behind_every_ipv6_address_as_a_number() {
        for (text, expected) in [
            ("::1%1", "[::1]:0"),
            ("0:0:0:0:0:0:0:1%01", "[::1]:0"),
            ("fd09::2%77", "[fd09::2]:0"),
            ("2001:db8::1%4294967295", "[2001:db8::1]:0"),
            ("ff05::1%1", "[ff05::1]:0"),
            ("::ffff:127.0.0.1%1", "127.0.0.1:0"),
            ("fe80::1%1", "[fe80::1%1]:0"),
            ("::1", "[::1]:0"),
            ("10.0.0.1", "10.0.0.1:0"),
        ] {
            assert_eq!(parse_resolvable(text).unwrap(), Some(expected.parse().unwrap()), "{text:?}");
        }
        for text in
            ["::1%", "::1%lo", "::1%+1", "::1%-1", "::1% 1", "::1%1x", "::1%4294967296", "10.0.0.1%1", "%1", "a%1"]
        {
            assert!(matches!(parse_resolvable(text), Ok(None)), "{text:?}");
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
        for name in ["localhost", "a", "my_host.lan", "1.2.3", "bücher.example"] {
            assert!(may_be_host(name), "{name:?}");
        }
        for text in
            ["", " ", "a b", "*", "...", "::zz", "a\0b", "fe80::1%", "fe80::1%eth0", "10.0.0.1%eth0", &"a".repeat(254)]
        {
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
