//! What the system's error codes mean, on each platform.

use std::io;

/// The meaning of an error code of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// `EADDRINUSE`
    AddressInUse,
    /// `EADDRNOTAVAIL`
    NoSuchAddress,
    /// `EACCES`: sending to a broadcast address needs an option, binding to a low port a right.
    NotAllowed,
    /// `EPERM`: a firewall of this machine. Windows has no code for it.
    #[cfg_attr(windows, expect(dead_code, reason = "only `of_code` makes one"))]
    Filtered,
    /// `ENETUNREACH`, `ENETDOWN`
    NoRoute,
    /// `EHOSTUNREACH`, `EHOSTDOWN`
    NoHost,
    /// `ECONNREFUSED`; `WSAECONNRESET` on Windows.
    Refused,
    /// `ENOBUFS`, `ENOMEM`
    NoRoom,
    /// `ENODEV`, `ENXIO`. Windows has no code for it.
    #[cfg_attr(windows, expect(dead_code, reason = "only `of_code` makes one"))]
    NoDevice,
    /// `EMFILE`, `ENFILE`
    NoDescriptor,
    /// `EMSGSIZE`
    TooLarge,
    /// `EAFNOSUPPORT`
    NoFamily,
    /// `ENOPROTOOPT`, `EOPNOTSUPP`
    NotSupported,
    /// `EINVAL`
    Invalid,
    Other,
}

/// What an error means. One that has no code of the system is judged by its kind.
pub(crate) fn cause(error: &io::Error) -> Cause {
    let by_code = error.raw_os_error().and_then(of_code);
    by_code.unwrap_or_else(|| match error.kind() {
        io::ErrorKind::Unsupported => Cause::NotSupported,
        io::ErrorKind::InvalidInput => Cause::Invalid,
        io::ErrorKind::OutOfMemory => Cause::NoRoom,
        _ => Cause::Other,
    })
}

/// The outcome of setting an option for both address families. Where the system has it for one of them only, that is enough; what it
/// refuses for another reason was not done.
pub(crate) fn of_both(v6: io::Result<()>, v4: io::Result<()>) -> io::Result<()> {
    let is_lacking = |error: &io::Error| matches!(cause(error), Cause::NotSupported | Cause::Invalid);
    match (v6, v4) {
        (Err(error), other) | (other, Err(error)) if is_lacking(&error) => other,
        (v6, v4) => v6.and(v4),
    }
}

#[cfg(unix)]
fn of_code(code: i32) -> Option<Cause> {
    Some(match code {
        libc::EADDRINUSE => Cause::AddressInUse,
        libc::EADDRNOTAVAIL => Cause::NoSuchAddress,
        libc::EACCES => Cause::NotAllowed,
        libc::EPERM => Cause::Filtered,
        libc::ENETUNREACH | libc::ENETDOWN => Cause::NoRoute,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => Cause::NoHost,
        libc::ECONNREFUSED => Cause::Refused,
        libc::ENOBUFS | libc::ENOMEM => Cause::NoRoom,
        libc::ENODEV | libc::ENXIO => Cause::NoDevice,
        libc::EMFILE | libc::ENFILE => Cause::NoDescriptor,
        libc::EMSGSIZE => Cause::TooLarge,
        libc::EAFNOSUPPORT => Cause::NoFamily,
        libc::ENOPROTOOPT | libc::EOPNOTSUPP => Cause::NotSupported,
        libc::EINVAL => Cause::Invalid,
        _ => return None,
    })
}

#[cfg(windows)]
fn of_code(code: i32) -> Option<Cause> {
    use windows_sys::Win32::Networking::WinSock as winsock;
    Some(match code {
        winsock::WSAEADDRINUSE => Cause::AddressInUse,
        winsock::WSAEADDRNOTAVAIL => Cause::NoSuchAddress,
        winsock::WSAEACCES => Cause::NotAllowed,
        winsock::WSAENETUNREACH | winsock::WSAENETDOWN => Cause::NoRoute,
        winsock::WSAEHOSTUNREACH | winsock::WSAEHOSTDOWN => Cause::NoHost,
        winsock::WSAECONNREFUSED | winsock::WSAECONNRESET => Cause::Refused,
        winsock::WSAENOBUFS => Cause::NoRoom,
        winsock::WSAEMFILE => Cause::NoDescriptor,
        winsock::WSAEMSGSIZE => Cause::TooLarge,
        winsock::WSAEAFNOSUPPORT => Cause::NoFamily,
        winsock::WSAENOPROTOOPT | winsock::WSAEOPNOTSUPP => Cause::NotSupported,
        winsock::WSAEINVAL => Cause::Invalid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_one_family_lacks_is_set_for_the_other() {
        let lacking = || Err(io::ErrorKind::Unsupported.into());
        let refused = || Err(io::ErrorKind::OutOfMemory.into());
        let code = |result: io::Result<()>| result.map_err(|error| error.kind());
        assert_eq!(code(of_both(Ok(()), Ok(()))), Ok(()));
        for (v6, v4) in [(lacking(), Ok(())), (Ok(()), lacking())] {
            assert_eq!(code(of_both(v6, v4)), Ok(()));
        }
        for (v6, v4) in [(refused(), Ok(())), (Ok(()), refused()), (lacking(), refused()), (refused(), lacking())] {
            assert_eq!(code(of_both(v6, v4)), Err(io::ErrorKind::OutOfMemory));
        }
        assert_eq!(code(of_both(lacking(), lacking())), Err(io::ErrorKind::Unsupported));
    }

    #[test]
    fn errors_of_the_system_are_told_apart_by_their_code() {
        // The system's own errors, on every platform: an address that is not this machine's, a port that is taken, port 0.
        let unavailable = std::net::UdpSocket::bind("192.0.2.1:0").unwrap_err();
        assert_eq!(cause(&unavailable), Cause::NoSuchAddress);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = std::net::UdpSocket::bind(socket.local_addr().unwrap()).unwrap_err();
        assert_eq!(cause(&taken), Cause::AddressInUse);
        let oversized = socket.send_to(&vec![0; 65_508], "127.0.0.1:9").unwrap_err();
        assert_eq!(cause(&oversized), Cause::TooLarge);
        assert_eq!(cause(&io::ErrorKind::Unsupported.into()), Cause::NotSupported);
        assert_eq!(cause(&io::Error::other("x")), Cause::Other);
    }
}
