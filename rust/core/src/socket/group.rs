//! Multicast groups, and which of them a socket has joined.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::interface;
use crate::sys::{Arrival, Interface};

/// A multicast group on an interface.
#[derive(Debug)]
pub(crate) enum Group {
    V4 {
        group: Ipv4Addr,
        /// An interface that has an IPv4 address, or the name that no such interface has.
        interface: Result<Interface, String>,
    },
    V6 {
        group: Ipv6Addr,
        /// The interface's index; 0 for the system's choice.
        index: u32,
    },
}

impl Group {
    /// The group `ip` on the interface of that name; `""` leaves the choice to the system. Lists the system's interfaces, so it
    /// must not be called under a lock.
    ///
    /// As in the engine, an IPv4 group needs an interface with an IPv4 address; for an IPv6 group an unknown interface is left
    /// to the system as well.
    pub(crate) fn on(ip: IpAddr, interface: &str) -> io::Result<Self> {
        Ok(match ip {
            IpAddr::V4(group) if interface.is_empty() => Self::V4 { group, interface: Ok(Interface::ANY) },
            IpAddr::V4(group) => {
                let found = interface::find(interface)?.filter(|found| found.ipv4.is_some());
                Self::V4 { group, interface: found.ok_or_else(|| interface.to_owned()) }
            }
            IpAddr::V6(group) if interface.is_empty() => Self::V6 { group, index: 0 },
            IpAddr::V6(group) => {
                Self::V6 { group, index: interface::find(interface)?.and_then(|found| found.index).unwrap_or(0) }
            }
        })
    }

    pub(crate) fn ip(&self) -> IpAddr {
        match self {
            Self::V4 { group, .. } => (*group).into(),
            Self::V6 { group, .. } => (*group).into(),
        }
    }
}

/// The IPv6 groups that a socket has joined, and on which interfaces (0 for the system's choice). IPv4 needs no such list: the
/// kernel compares group and interface itself.
#[derive(Debug, Default)]
pub(crate) struct Memberships {
    v6: Vec<(Ipv6Addr, u32)>,
    /// Whether the socket has joined any group, of either family. Before that it receives what is sent to any group, as far as the
    /// kernel delivers it.
    has_joined: bool,
}

impl Memberships {
    /// Records that the kernel has let the socket join (or leave) a group.
    pub(crate) fn record(&mut self, group: &Group, joined: bool) {
        self.has_joined |= joined;
        let Group::V6 { group, index } = group else { return };
        if joined {
            self.v6.push((*group, *index));
        } else if let Some(left) = self.position(*group, *index) {
            self.v6.remove(left);
        }
    }

    /// Which of several memberships in a group the kernel ends: the newest on that interface. 0 stands for any interface.
    fn position(&self, group: Ipv6Addr, index: u32) -> Option<usize> {
        let newest = |index: u32| self.v6.iter().rposition(|joined| *joined == (group, index));
        let newest_of_all = || self.v6.iter().rposition(|(joined, _)| *joined == group);
        if index == 0 { newest_of_all() } else { newest(index).or_else(|| newest(0)) }
    }

    /// Whether a message with this arrival was meant for the socket. It was not where it was
    /// sent to an IPv6 group that the socket has not joined, or has joined on another interface only.
    pub(crate) fn include(&self, arrival: Option<&Arrival>) -> bool {
        let Some(Arrival { destination: IpAddr::V6(to), interface, .. }) = arrival else { return true };
        let is_joined = |(group, index): &(Ipv6Addr, u32)| group == to && (index == interface || *index == 0);
        !self.has_joined || !to.is_multicast() || self.v6.iter().any(is_joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multicast_is_for_the_members_of_its_group_by_interface() {
        let group: Ipv6Addr = "ff15::4d02".parse().unwrap();
        let other: Ipv6Addr = "ff15::4d03".parse().unwrap();
        let at = |to: Ipv6Addr, interface| Arrival::at(to.into(), interface);
        let none = Memberships::default();
        assert!(none.include(None));
        assert!(none.include(Some(&at(Ipv6Addr::LOCALHOST, 7))));
        // The kernel decides, as before any group was joined.
        assert!(none.include(Some(&at(group, 7))));
        let joined = Memberships { v6: vec![(group, 7), (other, 0)], has_joined: true };
        assert!(joined.include(Some(&at(group, 7))));
        assert!(!joined.include(Some(&at(group, 8))));
        assert!(joined.include(Some(&at(other, 8))));
        assert!(joined.include(Some(&at(Ipv6Addr::LOCALHOST, 8))));
        // The kernel compares IPv4 groups itself.
        assert!(joined.include(Some(&Arrival::at(Ipv4Addr::new(239, 1, 2, 3).into(), 8))));
        let left = Memberships { v6: Vec::new(), has_joined: true };
        assert!(!left.include(Some(&at(group, 7))));
    }

    #[test]
    fn leaving_ends_the_membership_that_the_kernel_ends() {
        let (one, other) = (Ipv6Addr::from(1), Ipv6Addr::from(2));
        let all = || Memberships { v6: vec![(one, 7), (one, 8), (other, 9), (one, 0)], has_joined: true };
        assert_eq!(all().position(one, 7), Some(0));
        assert_eq!(all().position(one, 0), Some(3));
        assert_eq!(all().position(one, 9), Some(3));
        assert_eq!(all().position(other, 0), Some(2));
        assert_eq!(all().position(other, 7), None);
        let mut left = all();
        left.record(&Group::V6 { group: one, index: 8 }, false);
        assert_eq!(left.v6, [(one, 7), (other, 9), (one, 0)]);
    }
}
