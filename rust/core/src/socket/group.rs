//! Multicast groups, and which of them a socket has joined.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::interface;
use crate::sys::Interface;

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
    pub(crate) fn on(ip: IpAddr, interface: &str) -> Self {
        match ip {
            IpAddr::V4(group) if interface.is_empty() => Self::V4 { group, interface: Ok(Interface::ANY) },
            IpAddr::V4(group) => {
                let found = interface::find(interface).filter(|found| found.ipv4.is_some());
                Self::V4 { group, interface: found.ok_or_else(|| interface.to_owned()) }
            }
            IpAddr::V6(group) if interface.is_empty() => Self::V6 { group, index: 0 },
            IpAddr::V6(group) => {
                Self::V6 { group, index: interface::find(interface).and_then(|found| found.index).unwrap_or(0) }
            }
        }
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
pub(crate) struct Memberships(Vec<(Ipv6Addr, u32)>);

impl Memberships {
    /// Records that the kernel has let the socket join (or leave) a group.
    pub(crate) fn record(&mut self, group: &Group, joined: bool) {
        let Group::V6 { group, index } = group else { return };
        if joined {
            self.0.push((*group, *index));
        } else if let Some(left) = self.position(*group, *index) {
            self.0.remove(left);
        }
    }

    /// Which of several memberships in a group the kernel ends: the newest on that interface. 0 stands for any interface.
    fn position(&self, group: Ipv6Addr, index: u32) -> Option<usize> {
        let newest = |index: u32| self.0.iter().rposition(|joined| *joined == (group, index));
        let newest_of_all = || self.0.iter().rposition(|(joined, _)| *joined == group);
        if index == 0 { newest_of_all() } else { newest(index).or_else(|| newest(0)) }
    }

    /// Whether a message with this [arrival](crate::sys::Message::arrival) was meant for the socket. It was not where it was
    /// sent to a group that the socket has not joined, or has joined on another interface only.
    pub(crate) fn include(&self, arrival: Option<(Ipv6Addr, u32)>) -> bool {
        // Called for every message; only sockets that have joined an IPv6 group are told of an arrival.
        arrival.is_none_or(|(to, interface)| {
            let is_joined = |(group, index): &(Ipv6Addr, u32)| *group == to && (*index == interface || *index == 0);
            !to.is_multicast() || self.0.iter().any(is_joined)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multicast_is_for_the_members_of_its_group_by_interface() {
        let group: Ipv6Addr = "ff15::4d02".parse().unwrap();
        let other: Ipv6Addr = "ff15::4d03".parse().unwrap();
        let none = Memberships::default();
        assert!(none.include(None));
        assert!(none.include(Some((Ipv6Addr::LOCALHOST, 7))));
        assert!(!none.include(Some((group, 7))));
        let joined = Memberships(vec![(group, 7), (other, 0)]);
        assert!(joined.include(Some((group, 7))));
        assert!(!joined.include(Some((group, 8))));
        assert!(joined.include(Some((other, 8))));
        assert!(joined.include(Some((Ipv6Addr::LOCALHOST, 8))));
    }

    #[test]
    fn leaving_ends_the_membership_that_the_kernel_ends() {
        let (one, other) = (Ipv6Addr::from(1), Ipv6Addr::from(2));
        let all = || Memberships(vec![(one, 7), (one, 8), (other, 9), (one, 0)]);
        assert_eq!(all().position(one, 7), Some(0));
        assert_eq!(all().position(one, 0), Some(3));
        assert_eq!(all().position(one, 9), Some(3));
        assert_eq!(all().position(other, 0), Some(2));
        assert_eq!(all().position(other, 7), None);
        let mut left = all();
        left.record(&Group::V6 { group: one, index: 8 }, false);
        assert_eq!(left.0, [(one, 7), (other, 9), (one, 0)]);
    }
}
