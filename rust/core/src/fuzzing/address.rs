//! Addresses, host names and names of interfaces, as scripts give them.

use std::net::{IpAddr, SocketAddr};

use crate::address::{
    describe, format_address, is_same_host_and_port, may_be_host, parse_ip, parse_resolvable, parse_scoped,
    to_canonical, to_mapped,
};
use crate::error::Reason;
use crate::interface;
use crate::socket::group::Group;
use crate::transport::parse_bind_address;

/// What is read as an address is written such that it is read as the same address; and nothing panics, whatever the text is.
pub fn addresses(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let ip = parse_ip(text);
    assert_eq!(ip, simple_ip(text), "{text:?}");
    let scoped = parse_scoped(text);
    match (&ip, &scoped) {
        // An address without a scope is read alike by all.
        (Some(ip), Ok(Some(address))) => assert_eq!(*address, SocketAddr::new(*ip, 0), "{text:?}"),
        (Some(_), _) => panic!("{text:?}"),
        (None, Ok(Some(address))) => assert!(text.contains('%') && has_scope_of_one_link(*address), "{text:?}"),
        (None, Ok(None)) => {}
        (None, Err(Reason::UnknownInterface(name))) => assert!(text.ends_with(name.as_str()), "{text:?}"),
        (None, Err(reason)) => panic!("{text:?}: {reason:?}"),
    }
    if let Ok(Some(address)) = scoped {
        assert_eq!(parse_resolvable(text).unwrap(), Some(address), "{text:?}");
        check_written(address);
    } else if let Ok(Some(address)) = parse_resolvable(text) {
        assert!(text.contains('%') && text.contains(':'), "{text:?}");
        check_written(address);
    }
    // What could be a name is no address with a scope, and the other way round.
    assert!(!may_be_host(text) || !text.contains(['%', ':', '[', ' ', '\0']), "{text:?}");
    let bound = parse_bind_address(text);
    let is_bindable = text == "*" || matches!(parse_scoped(text), Ok(Some(_)));
    assert!(bound.is_ok() <= is_bindable, "{text:?}");
    // The name of an interface, or its number.
    if text.len() <= 64 {
        if let Ok(Some(index)) = interface::scope_of(text) {
            assert_ne!(index, 0, "{text:?}");
            assert_eq!(interface::scope_of(&interface::scope_text(index)).unwrap(), Some(index), "{text:?}");
        }
        if let Some(ip) = ip {
            let _ = Group::on(ip, text);
        } else if let Some((group, name)) = text.split_once('%')
            && let Some(ip) = parse_ip(group)
        {
            assert_eq!(Group::on(ip, name).unwrap().ip(), ip);
        }
    }
}

/// As the text is written, it is read again.
fn check_written(address: SocketAddr) {
    let written = format_address(address);
    let again = parse_scoped(&written).unwrap().unwrap();
    assert!(is_same_host_and_port(again, address), "{written}");
    assert_eq!(format_address(again), written);
    assert!(!describe(address).is_empty());
    assert_eq!(to_canonical(to_mapped(address)), address);
    if let (SocketAddr::V6(again), SocketAddr::V6(before)) = (again, address) {
        assert_eq!(again.scope_id(), before.scope_id(), "{written}");
    }
}

/// Whether it has a scope, and is of `fe80::/10`, `ff?1::/16` or `ff?2::/16`.
fn has_scope_of_one_link(address: SocketAddr) -> bool {
    let SocketAddr::V6(v6) = address else { return false };
    let [first, second, ..] = v6.ip().octets();
    let is_link_local = first == 0xfe && (0x80..=0xbf).contains(&second);
    v6.scope_id() != 0 && (is_link_local || (first == 0xff && (second & 0xf == 1 || second & 0xf == 2)))
}

/// The same as `parse_ip`, by other means.
fn simple_ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let ip: std::net::Ipv6Addr = text.parse().ok()?;
        return Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4));
    }
    let parts: Vec<&str> = text.split('.').collect();
    let mut octets = [0_u8; 4];
    if parts.len() != 4 {
        return None;
    }
    for (octet, part) in octets.iter_mut().zip(parts) {
        let mut value = 0_u32;
        for byte in part.bytes() {
            value = (value * 10 + u32::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?)).min(1_000);
        }
        if part.is_empty() {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
    }
    Some(IpAddr::from(octets))
}
