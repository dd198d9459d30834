//! The faults after which the library may go on without a word, and why. Every other one must be told of.

use super::inject::{Fired, SYS_POLL};

/// Why nothing needs to tell of it; `None` if something must.
pub(crate) fn reason(scenario: &str, fired: Fired) -> Option<&'static str> {
    use libc::{
        EACCES, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINTR, EINVAL, ENETUNREACH, ENOBUFS,
        ENOMEM, ENOPROTOOPT,
    };
    const SOCKET: i32 = libc::SOL_SOCKET;
    const UDP: i32 = libc::SOL_UDP;
    const IP: i32 = libc::IPPROTO_IP;
    const IPV6: i32 = libc::IPPROTO_IPV6;
    let Fired { call, detail, code } = fired;
    let answers = scenario.starts_with("server") || scenario.starts_with("relay");
    let lists = scenario.starts_with("options") || scenario.starts_with("groups");
    let holds_back = scenario.contains("conditions");
    let has_both = scenario.contains('*') || scenario.contains("both families");
    Some(match (call, detail, code) {
        (_, _, EINTR) => "the call is repeated, or the descriptor is closed all the same",
        (libc::SYS_close, ..) => "the descriptor is closed all the same",
        (libc::SYS_recvmmsg | libc::SYS_sendmmsg, (0, 1), _) => "one system call for each packet instead",
        (libc::SYS_recvfrom | libc::SYS_recvmsg | libc::SYS_recvmmsg, _, EAGAIN) => "there was nothing at that moment",
        (libc::SYS_setsockopt, (SOCKET, libc::SO_TIMESTAMPNS), _) => "packets have the time at which they are read",
        (libc::SYS_getsockopt, (UDP, libc::UDP_SEGMENT), _) | (libc::SYS_setsockopt, (UDP, libc::UDP_GRO), _) => {
            "no segmentation offload on this socket"
        }
        (libc::SYS_setsockopt, (SOCKET, libc::SO_RCVBUF | libc::SO_SNDBUF), _) => "the buffer is as large as it tells",
        (libc::SYS_setsockopt, (SOCKET, libc::SO_BROADCAST), _) => {
            "sending a broadcast fails then, with an error of its own"
        }
        (libc::SYS_getsockopt, (SOCKET, libc::SO_RCVBUF), _) => "one call reads less",
        (libc::SYS_getsockopt, (SOCKET, libc::SO_MEMINFO), _) => "a lower bound of what the kernel has dropped",
        (libc::SYS_getsockname, ..) => "there is no local address at that moment",
        (libc::SYS_eventfd2, ..) => "a wait sleeps in slices; the background thread is woken by a pipe",
        (libc::SYS_timerfd_create, ..) => "the background thread has times in whole milliseconds",
        (libc::SYS_sendmmsg, _, code) if ![EAGAIN, ENOBUFS, ECONNREFUSED].contains(&code) => {
            "the packets are sent without segmentation"
        }
        (libc::SYS_sendmmsg | libc::SYS_sendmsg | libc::SYS_sendto, _, EAGAIN | ENOBUFS) if holds_back => {
            "it is sent again when it is due"
        }
        (libc::SYS_sendmsg, _, EADDRNOTAVAIL | EINVAL | ENETUNREACH | EHOSTUNREACH) if answers => {
            "the answer leaves from the address that the system chooses"
        }
        (libc::SYS_ppoll | SYS_POLL, ..) => "another thread had ended the wait at that moment",
        (libc::SYS_socket, (libc::AF_UNIX, _), _) | (libc::SYS_ioctl, ..) if lists => {
            "it is not known whether an interface is up, or the list of interfaces is asked for its index"
        }
        (libc::SYS_socket | libc::SYS_bind | libc::SYS_sendto | libc::SYS_recvmsg, (0 | libc::AF_NETLINK, _), _)
            if scenario.starts_with("options") =>
        {
            "which addresses are broadcasts is not known"
        }
        (libc::SYS_setsockopt, (IP, libc::IP_PKTINFO) | (IPV6, libc::IPV6_RECVPKTINFO), _) if answers => {
            "the system chooses the address that answers leave from"
        }
        (
            libc::SYS_setsockopt,
            (IP, libc::IP_MULTICAST_ALL) | (IPV6, libc::IPV6_MULTICAST_ALL | libc::IPV6_RECVPKTINFO),
            _,
        ) if scenario.starts_with("groups") => "packets of groups that others have joined are received as well",
        (libc::SYS_epoll_create1 | libc::SYS_epoll_ctl | libc::SYS_clone3, ..)
            if scenario == "link conditions, polled" =>
        {
            "polled calls and waits find what is due"
        }
        (libc::SYS_setsockopt, (IP | IPV6, _), ENOPROTOOPT | EINVAL) if has_both => "the other family has the option",
        (libc::SYS_socket, (libc::AF_INET6, _), EAFNOSUPPORT | EACCES)
        | (libc::SYS_bind, _, EADDRNOTAVAIL)
        | (libc::SYS_getsockopt | libc::SYS_setsockopt | libc::SYS_fcntl, ..)
            if has_both && ![ENOMEM, ENOBUFS].contains(&code) =>
        {
            "the machine has no IPv6, as far as it tells, so the socket has IPv4 only"
        }
        _ => return None,
    })
}
