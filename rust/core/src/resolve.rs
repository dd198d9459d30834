//! Host names to addresses, by the system's resolver. Blocks for as long as that takes.

use std::net::SocketAddr;

use dns_lookup::AddrInfoHints;

use crate::address;
use crate::error::Reason;
use crate::socket::Family;
use crate::sys;

/// The addresses of `host`, in the resolver's order of preference: never none. Port 0 in each of them.
///
/// A numeric address is its own answer and asks nobody. Everything else is the resolver's (`getaddrinfo`): names, and
/// what it takes for an address, such as `1.2.3`.
pub(crate) fn addresses_of(host: &str) -> Result<Vec<SocketAddr>, Reason> {
    if let Some(ip) = address::parse_ip(host) {
        return Ok(vec![SocketAddr::new(ip, 0)]);
    }
    if !address::may_be_host(host) {
        return Err(Reason::InvalidAddress);
    }
    // With AI_ADDRCONFIG, as the engine asks; without it where that finds nothing, which it does on a machine that has
    // no address but loopback's.
    let found = look_up(host, sys::RESOLVER_FLAGS).or_else(|_| look_up(host, 0)).map_err(Reason::Unresolvable)?;
    if found.is_empty() { Err(Reason::Unresolvable("the name has no address".to_owned())) } else { Ok(found) }
}

/// The address to use of several: the first that a socket of `family` reaches; without a socket, or where there is no
/// such address, the first.
pub(crate) fn choose(addresses: &[SocketAddr], family: Option<Family>, port: u16) -> Option<SocketAddr> {
    let fitting = family.and_then(|family| addresses.iter().find(|address| family.reaches(address.ip())));
    fitting.or(addresses.first()).map(|address| {
        let mut chosen = *address;
        chosen.set_port(port);
        chosen
    })
}

fn look_up(host: &str, flags: i32) -> Result<Vec<SocketAddr>, String> {
    let hints = AddrInfoHints { flags, ..AddrInfoHints::default() };
    let answers = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).map_err(|error| {
        let error = std::io::Error::from(error);
        error.to_string()
    })?;
    let mut found = Vec::new();
    for answer in answers.flatten() {
        // One answer comes once per type of socket.
        let address = address::to_canonical(answer.sockaddr);
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_addresses_are_their_own_answer() {
        assert_eq!(addresses_of("10.1.2.3").unwrap(), ["10.1.2.3:0".parse().unwrap()]);
        assert_eq!(addresses_of("::ffff:10.1.2.3").unwrap(), ["10.1.2.3:0".parse().unwrap()]);
    }

    #[test]
    fn localhost_is_loopback() {
        let found = addresses_of("localhost").unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    }

    #[test]
    fn what_can_be_no_host_is_told_from_what_does_not_resolve() {
        for text in ["", "*", "a b", "::zz"] {
            assert!(matches!(addresses_of(text), Err(Reason::InvalidAddress)), "{text:?}");
        }
        assert!(matches!(addresses_of("no-such-host.invalid"), Err(Reason::Unresolvable(_))));
    }

    #[test]
    fn the_first_address_that_the_socket_reaches_is_chosen() {
        let both: [SocketAddr; 2] = ["[::1]:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
        for (family, expected) in [
            (None, "[::1]:9"),
            (Some(Family::V4), "127.0.0.1:9"),
            (Some(Family::V6), "[::1]:9"),
            (Some(Family::Dual), "[::1]:9"),
        ] {
            assert_eq!(choose(&both, family, 9), Some(expected.parse().unwrap()));
        }
        assert_eq!(choose(&both[..1], Some(Family::V4), 9), Some("[::1]:9".parse().unwrap()));
    }
}
