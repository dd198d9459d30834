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
use crate::{interface, sys};

/// How long an answer is cached. Scripts set their destination before every packet, and rely on the engine's resolver to cache. The
/// engine caches without limit, which is too long for a server that moves.
const LIFETIME: Duration = Duration::from_mins(5);

/// How many names are cached; a game uses a handful.
const MAX_NAMES: usize = 64;

static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

/// The names that were resolved lately. Failures are not cached.
#[derive(Default)]
struct Cache(HashMap<String, (Instant, Vec<SocketAddr>)>);

impl Cache {
    fn get(&self, host: &str, now: Instant) -> Option<Vec<SocketAddr>> {
        let (since, addresses) = self.0.get(host)?;
        (now.duration_since(*since) < LIFETIME).then(|| addresses.clone())
    }

    fn put(&mut self, host: &str, addresses: Vec<SocketAddr>, now: Instant) {
        if self.0.len() >= MAX_NAMES {
            self.0.clear();
        }
        self.0.insert(host.to_owned(), (now, addresses));
    }
}

/// The addresses of `host` that are known without the resolver: a numeric address, or an answer that is cached. `None` if the
/// resolver must be [asked](resolve). The port of each address is 0. May list interfaces.
pub(crate) fn cached(host: &str) -> Result<Option<Vec<SocketAddr>>, Reason> {
    cached_unless(address::parse_scoped(host), host)
}

/// The same for a destination. As in the engine, which resolves it but takes only an address where it connects, an IPv6 address of
/// any kind may name an interface by its number.
pub(crate) fn cached_destination(host: &str) -> Result<Option<Vec<SocketAddr>>, Reason> {
    cached_unless(address::parse_resolvable(host), host)
}

fn cached_unless(numeric: Result<Option<SocketAddr>, Reason>, host: &str) -> Result<Option<Vec<SocketAddr>>, Reason> {
    if let Some(address) = numeric? {
        return Ok(Some(vec![address]));
    }
    if !address::may_be_host(host) {
        return Err(Reason::InvalidAddress);
    }
    Ok(CACHE.lock().get(host, Instant::now()))
}

/// The addresses of `host`, in the order of preference of the system's resolver (`getaddrinfo`). Blocks for as long as that takes.
/// Besides names, the resolver takes some text for an address, such as `1.2.3`. An error is in its words.
pub(crate) fn resolve(host: &str) -> Result<Vec<SocketAddr>, String> {
    let found = look_up(host)?;
    CACHE.lock().put(host, found.clone(), Instant::now());
    Ok(found)
}

/// The address to use of several: the first that a socket of `family` reaches; without a socket, or if it reaches none, the first.
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
    // As the engine asks: only for families that the machine has an address of. On a machine with loopback addresses only, that may
    // find nothing; then any family is asked for, unless the resolver did not answer.
    let is_lonely = |error: &LookupError| is_about_flags(error) && !interface::has_outward_address();
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
            assert_eq!(cached(host).unwrap().unwrap(), [address.parse().unwrap()]);
        }
    }

    #[test]
    fn localhost_is_loopback() {
        let found = resolve("localhost").unwrap();
        assert_eq!(cached("localhost").unwrap(), Some(found.clone()));
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    }

    #[test]
    fn text_that_can_be_no_host_differs_from_a_name_that_does_not_resolve() {
        for text in ["", "*", "a b", "::zz"] {
            assert!(matches!(cached(text), Err(Reason::InvalidAddress)), "{text:?}");
        }
        assert!(matches!(cached("fe80::1%nowhere"), Err(Reason::UnknownInterface(_))));
        assert!(matches!(cached("no-such-host.invalid"), Ok(None)));
        assert!(resolve("no-such-host.invalid").is_err());
        // Failures are not cached.
        assert!(matches!(cached("no-such-host.invalid"), Ok(None)));
    }

    #[test]
    fn an_answer_is_cached_for_a_while() {
        let mut cache = Cache::default();
        let now = Instant::now();
        let addresses: Vec<SocketAddr> = vec!["10.1.2.3:0".parse().unwrap()];
        cache.put("a.example", addresses.clone(), now);
        assert_eq!(cache.get("a.example", now + LIFETIME / 2), Some(addresses.clone()));
        assert_eq!(cache.get("a.example", now + LIFETIME), None);
        assert_eq!(cache.get("b.example", now), None);
        for i in 0..1_000 {
            cache.put(&i.to_string(), addresses.clone(), now);
        }
        assert!(cache.0.len() <= MAX_NAMES);
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
