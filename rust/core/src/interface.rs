//! The machine's network interfaces, found by the names that the engine gives them (`IP.get_local_interfaces()`).

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use if_addrs::IfAddr;
use parking_lot::Mutex;

use crate::sys::{self, Interface};

/// How long an interface's name is cached. The address of a sender may be written for every packet, and asking the system takes many
/// times as long as receiving one.
const LIFETIME: Duration = Duration::from_secs(1);

/// The index that was asked for last, and the name of its interface, if there is one.
static CACHE: Mutex<Option<(Instant, u32, Option<String>)>> = Mutex::new(None);

/// A network that broadcasts reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broadcast {
    /// Its directed broadcast address.
    pub(crate) address: Ipv4Addr,
    /// The index of the interface that leads there. Several may have the same range, such as those of two routers.
    pub(crate) interface: u32,
}

/// The interface `name`; `None` where there is none, or it has no address. Fails where the system does not list its interfaces, or does not
/// tell the number of this one: without that, another interface would be used in its place.
pub(crate) fn find(name: &str) -> io::Result<Option<Interface>> {
    let all = listed()?;
    let entries = || all.iter().filter(|interface| is_named(interface, name));
    if entries().next().is_none() {
        return Ok(None);
    }
    let ipv4 = entries().find_map(|interface| match interface.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    let index = match entries().find_map(|interface| interface.index) {
        None => sys::interface_index(name)?,
        index => index,
    };
    Ok(Some(Interface { ipv4, index }))
}

/// The index that `text` after the `%` of an address means: an interface's name, or the index itself.
pub(crate) fn scope_of(text: &str) -> io::Result<Option<u32>> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = || text.parse().ok().filter(|index| is_number && *index != 0);
    match (sys::interface_index(text), number()) {
        (Ok(Some(index)), _) | (_, Some(index)) => Ok(Some(index)),
        (Ok(None), None) => Ok(find(text)?.and_then(|found| found.index)),
        // A system that does not tell the number of an interface may list it all the same.
        (Err(error), None) => find(text).ok().flatten().and_then(|found| found.index).map(Some).ok_or(error),
    }
}

/// How an index is written after the `%` of an address, as every program on this machine reads it.
pub(crate) fn scope_text(index: u32) -> String {
    let name = if sys::SCOPES_HAVE_NAMES { name_of(index) } else { None };
    name.unwrap_or_else(|| index.to_string())
}

fn name_of(index: u32) -> Option<String> {
    if let Some((since, asked, name)) = &*CACHE.lock()
        && *asked == index
        && since.elapsed() < LIFETIME
    {
        return name.clone();
    }
    let name = sys::interface_name(index);
    *CACHE.lock() = Some((Instant::now(), index, name.clone()));
    name
}

/// Whether this machine has an address that is not loopback's.
pub(crate) fn has_outward_address() -> bool {
    listed().is_ok_and(|all| all.iter().any(|interface| !interface.is_loopback()))
}

/// The directed broadcast address of every interface that is up, from its netmask; each once. Loopback and point-to-point
/// interfaces have none, nor has a network that is too small for one (RFC 3021). Empty if the system does not list its interfaces.
#[must_use]
pub fn broadcast_addresses() -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    for Broadcast { address, .. } in broadcasts().unwrap_or_default() {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// The same by interface, each once.
pub(crate) fn broadcasts() -> io::Result<Vec<Broadcast>> {
    listed().map(|all| broadcasts_of(&all))
}

fn broadcasts_of(all: &[if_addrs::Interface]) -> Vec<Broadcast> {
    // A loopback interface may have other addresses than 127.0.0.1, each under a name of its own ("lo:1").
    let loopbacks: HashSet<_> = all.iter().filter(|one| one.is_loopback()).filter_map(|one| one.index).collect();
    let is_loopback = |one: &if_addrs::Interface| one.index.is_some_and(|index| loopbacks.contains(&index));
    let mut found = Vec::new();
    for interface in all {
        let IfAddr::V4(address) = &interface.addr else { continue };
        let has_one = interface.is_oper_up() && !interface.is_p2p() && !is_loopback(interface);
        if has_one && (1..=30).contains(&address.prefixlen) {
            let address = Ipv4Addr::from_bits(address.ip.to_bits() | (u32::MAX >> address.prefixlen));
            let broadcast = Broadcast { address, interface: interface.index.unwrap_or(0) };
            if !found.contains(&broadcast) {
                found.push(broadcast);
            }
        }
    }
    found
}

/// All interfaces, an entry for each of their addresses. Asks the system, which may take milliseconds: not under a lock.
fn listed() -> io::Result<Vec<if_addrs::Interface>> {
    sys::interfaces()
}

/// Why the system does not list its interfaces; `None` if it does. Where it does not, no name is found. Asks the system.
#[must_use]
pub fn interface_list_refusal() -> Option<String> {
    listed().err().map(|error| error.to_string())
}

/// On Windows an interface has two names, both unique: a friendly one and a GUID, which the engine uses.
fn is_named(interface: &if_addrs::Interface, name: &str) -> bool {
    #[cfg(windows)]
    if interface.adapter_name == name {
        return true;
    }
    interface.name == name
}

#[cfg(test)]
mod tests {
    use super::*;

    use if_addrs::{IfOperStatus, Ifv4Addr};

    fn interface(name: &str, ip: [u8; 4], prefixlen: u8) -> if_addrs::Interface {
        let netmask = Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefixlen)).unwrap_or(0));
        if_addrs::Interface {
            name: name.to_owned(),
            // The system's broadcast address may be missing, and is not used.
            addr: IfAddr::V4(Ifv4Addr { ip: ip.into(), netmask, prefixlen, broadcast: None }),
            index: Some(1),
            oper_status: IfOperStatus::Up,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: name.to_owned(),
        }
    }

    #[test]
    fn broadcast_addresses_come_from_the_netmasks() {
        for (ip, prefixlen, expected) in [
            ([192, 168, 1, 7], 24, Some([192, 168, 1, 255])),
            ([10, 1, 2, 3], 8, Some([10, 255, 255, 255])),
            ([10, 77, 1, 1], 26, Some([10, 77, 1, 63])),
            ([172, 16, 5, 130], 22, Some([172, 16, 7, 255])),
            ([10, 0, 0, 1], 30, Some([10, 0, 0, 3])),
            ([10, 0, 0, 1], 31, None),
            ([10, 0, 0, 1], 32, None),
            ([10, 0, 0, 1], 0, None),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|address| Broadcast { address: address.into(), interface: 1 }).collect();
            assert_eq!(broadcasts_of(&[interface("lan", ip, prefixlen)]), expected, "{ip:?}/{prefixlen}");
        }
    }

    #[test]
    fn only_interfaces_with_broadcasts_count_and_each_network_of_each_once() {
        let mut tunnel = interface("tun", [10, 8, 0, 1], 24);
        tunnel.is_p2p = true;
        let mut unplugged = interface("old", [10, 9, 0, 1], 24);
        unplugged.oper_status = IfOperStatus::Unknown;
        let all = [
            if_addrs::Interface { index: Some(9), ..interface("lo", [127, 0, 0, 1], 8) },
            if_addrs::Interface { index: Some(9), ..interface("lo:1", [10, 7, 0, 1], 24) },
            tunnel,
            unplugged,
            interface("lan", [192, 168, 1, 7], 24),
            if_addrs::Interface { index: Some(2), ..interface("wlan", [192, 168, 1, 8], 24) },
            interface("lan", [192, 168, 2, 7], 24),
            interface("lan", [192, 168, 1, 9], 24),
        ];
        let expected = [([192, 168, 1, 255], 1), ([192, 168, 1, 255], 2), ([192, 168, 2, 255], 1)];
        let expected = expected.map(|(address, interface)| Broadcast { address: address.into(), interface });
        assert_eq!(broadcasts_of(&all), expected);
        assert!(broadcasts_of(&[]).is_empty());
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for interface in listed().unwrap() {
            let index = interface.index.unwrap();
            assert_eq!(scope_of(&scope_text(index)).unwrap(), Some(index));
            assert_eq!(scope_of(&interface.name).unwrap(), Some(index));
            assert_eq!(scope_of(&index.to_string()).unwrap(), Some(index));
        }
        assert_eq!(scope_of("no-such-interface").unwrap(), None);
        assert_eq!(scope_of("0").unwrap(), None);
        assert_eq!(scope_of("").unwrap(), None);
        // An interface that does not exist.
        assert_eq!(scope_text(4_000_000), "4000000");
    }
}
