//! The machine's network interfaces, found by the names that the engine gives them (`IP.get_local_interfaces()`).

use std::net::{IpAddr, Ipv4Addr};

use if_addrs::Interface;

/// The first IPv4 address of the interface `name`; `None` where there is no such interface or it has none.
pub(crate) fn ipv4_of(name: &str) -> Option<Ipv4Addr> {
    named(name).find_map(|interface| match interface.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    })
}

/// The system's index of the interface `name`; `None` where there is no such interface.
pub(crate) fn index_of(name: &str) -> Option<u32> {
    named(name).find_map(|interface| interface.index)
}

/// The entries of the interface `name`, one for each of its addresses.
fn named(name: &str) -> impl Iterator<Item = Interface> {
    // A system that does not list its interfaces has, to us as to the engine, none by any name.
    if_addrs::get_if_addrs().unwrap_or_default().into_iter().filter(move |interface| is_named(interface, name))
}

/// On Windows an interface has two names, both unique: the one that people see and a GUID, which the engine uses.
fn is_named(interface: &Interface, name: &str) -> bool {
    #[cfg(windows)]
    if interface.adapter_name == name {
        return true;
    }
    interface.name == name
}
