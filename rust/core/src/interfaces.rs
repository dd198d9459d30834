//! The machine's network interfaces, found by the names that the engine gives them (`IP.get_local_interfaces()`).

use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// The first IPv4 address of the interface `name`; `None` where there is no such interface or it has none.
pub(crate) fn ipv4_of(name: &str) -> io::Result<Option<Ipv4Addr>> {
    Ok(if_addrs::get_if_addrs()?.iter().filter(|interface| is_named(interface, name)).find_map(|interface| {
        match interface.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }
    }))
}

/// The system's index of the interface `name`; `None` where there is no such interface.
pub(crate) fn index_of(name: &str) -> io::Result<Option<u32>> {
    Ok(if_addrs::get_if_addrs()?.iter().find(|interface| is_named(interface, name)).and_then(|found| found.index))
}

/// On Windows an interface has two names, both unique: the one that people see and a GUID, which the engine uses.
fn is_named(interface: &if_addrs::Interface, name: &str) -> bool {
    #[cfg(windows)]
    if interface.adapter_name == name {
        return true;
    }
    interface.name == name
}
