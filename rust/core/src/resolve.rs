//! Host names to addresses, by the system's resolver.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind};
use parking_lot::Mutex;

use crate::address;
use crate::error::Reason;
use crate::socket::Family;
use crate::{interfaces, sys};

/// How long an answer is taken for good: scripts set their destination before every packet, and count on the engine's
/// resolver to remember. (It does so for ever, which is too long for a server that moves.)
const LIFETIME: Duration = Duration::from_mins(5);

/// How many names are remembered; a game knows a handful.
const MOST_NAMES: usize = 64;

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// The names that were resolved lately. Failures are not remembered.
#[derive(Default)]
struct Known(HashMap<String, (Instant, Vec<SocketAddr>)>);

impl Known {
    fn get(&self, host: &str, now: Instant) -> Option<Vec<SocketAddr>> {
        let (since, addresses) = self.0.get(host)?;
        (now.duration_since(*since) < LIFETIME).then(|| addresses.clone())
    }

    fn put(&mut self, host: &str, addresses: Vec<SocketAddr>, now: Instant) {
        if self.0.len() >= MOST_NAMES {
            self.0.clear();
        }
        self.0.insert(host.to_owned(), (now, addresses));
    }
}

/// The addresses of `host` where nobody need be asked for them: a numeric address is its own answer, and one of the
/// resolver's is remembered for five minutes. `None` where the resolver is to be [asked](ask). Port 0 in each address.
pub(crate) fn at_hand(host: &str) -> Result<Option<Vec<SocketAddr>>, Reason> {
    if let Some(address) = address::parse_scoped(host)? {
        return Ok(Some(vec![address]));
    }
    if !address::may_be_host(host) {
        return Err(Reason::InvalidAddress);
    }
    Ok(KNOWN.lock().get(host, Instant::now()))
}

/// The addresses of `host`, in the system's resolver's order of preference (`getaddrinfo`). Blocks for as long as that
/// takes. The resolver knows names, and takes some other text for an address, such as `1.2.3`. An error is in its words.
pub(crate) fn ask(host: &str) -> Result<Vec<SocketAddr>, String> {
    let found = look_up(host)?;
    KNOWN.lock().put(host, found.clone(), Instant::now());
    Ok(found)
}

/// The address to use of several: the first that a socket of `family` reaches; without a socket, or where there is no
/// such address, the first.
pub(crate) fn choose(addresses: &[SocketAddr], family: Option<Family>, port: u16) -> Result<SocketAddr, Reason> {
    let fitting = family.and_then(|family| addresses.iter().find(|address| family.reaches(address.ip())));
    let chosen = fitting.or(addresses.first());
    let mut chosen = *chosen.ok_or_else(|| Reason::Unresolvable("the name has no address".to_owned()))?;
    chosen.set_port(port);
    Ok(chosen)
}

fn look_up(host: &str) -> Result<Vec<SocketAddr>, String> {
    let ask =
        |flags| dns_lookup::getaddrinfo(Some(host), None, Some(AddrInfoHints { flags, ..AddrInfoHints::default() }));
    // As the engine asks: only for families that the machine has an address of. On a machine that has none but
    // loopback's that may find nothing, so then any family is asked for; not after a resolver that did not answer.
    let is_lonely = |error: &LookupError| is_about_flags(error) && !interfaces::has_outward_address();
    let answers = ask(sys::RESOLVER_FLAGS).or_else(|error| if is_lonely(&error) { ask(0) } else { Err(error) });
    let answers = answers.map_err(|error| io::Error::from(error).to_string())?;
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

fn is_about_flags(error: &LookupError) -> bool {
    matches!(error.kind(), LookupErrorKind::Badflags | LookupErrorKind::NoData | LookupErrorKind::NoName)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_addresses_are_their_own_answer() {
        for (host, address) in
            [("10.1.2.3", "10.1.2.3:0"), ("::ffff:10.1.2.3", "10.1.2.3:0"), ("fe80::1%1", "[fe80::1%1]:0")]
        {
            assert_eq!(at_hand(host).unwrap().unwrap(), [address.parse().unwrap()]);
        }
    }

    #[test]
    fn localhost_is_loopback() {
        let found = ask("localhost").unwrap();
        assert_eq!(at_hand("localhost").unwrap(), Some(found.clone()));
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    }

    #[test]
    fn what_can_be_no_host_is_told_from_what_does_not_resolve() {
        for text in ["", "*", "a b", "::zz"] {
            assert!(matches!(at_hand(text), Err(Reason::InvalidAddress)), "{text:?}");
        }
        assert!(matches!(at_hand("fe80::1%nowhere"), Err(Reason::UnknownInterface(_))));
        assert!(matches!(at_hand("no-such-host.invalid"), Ok(None)));
        assert!(ask("no-such-host.invalid").is_err());
        // Failures are not remembered.
        assert!(matches!(at_hand("no-such-host.invalid"), Ok(None)));
    }

    #[test]
    fn an_answer_is_remembered_for_a_while() {
        let mut known = Known::default();
        let now = Instant::now();
        let addresses: Vec<SocketAddr> = vec!["10.1.2.3:0".parse().unwrap()];
        known.put("a.example", addresses.clone(), now);
        assert_eq!(known.get("a.example", now + LIFETIME / 2), Some(addresses.clone()));
        assert_eq!(known.get("a.example", now + LIFETIME), None);
        assert_eq!(known.get("b.example", now), None);
        for i in 0..1_000 {
            known.put(&i.to_string(), addresses.clone(), now);
        }
        assert!(known.0.len() <= MOST_NAMES);
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
            assert_eq!(choose(&both, family, 9).unwrap(), expected.parse().unwrap());
        }
        assert_eq!(choose(&both[..1], Some(Family::V4), 9).unwrap(), "[::1]:9".parse().unwrap());
        assert!(matches!(choose(&[], None, 9), Err(Reason::Unresolvable(_))));
    }
}
