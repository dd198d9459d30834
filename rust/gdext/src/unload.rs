//! Closing everything before the library is unloaded.

use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::pin_library;

use crate::availability;
use crate::registry::Registered;
use crate::shared::{CONDITIONS, PEERS, PROXIES, SERVERS};

/// The longest that unloading waits for threads to leave their waits. They need a processor for it, and nothing else.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a thread may need, from the end of a wait or the begin of any other method, until it is back in the engine, when nothing
/// here can see it.
const RETURN_TIME: Duration = Duration::from_millis(50);

/// Closes every peer, stops every server and every relay, and returns when no thread is in a wait any more: a thread that returned later
/// would return into code that is not there. (The engine frees the objects only afterwards.) Methods that are called meanwhile, and
/// later, return at once. If there are any, a thread goes on to call them, so a release build stays in memory; where it would be
/// unloaded otherwise, the engine then goes on to use it until it is restarted.
pub(crate) fn close_all() {
    availability::begin_unloading();
    let ((peers, _), (servers, _), (proxies, _)) = (PEERS.all(), SERVERS.all(), PROXIES.all());
    let is_waited_on = || servers.iter().any(|server| server.waits() > 0) || peers.iter().any(|peer| peer.waits() > 0);
    for peer in &peers {
        peer.close();
    }
    for server in &servers {
        server.close();
    }
    for proxy in &proxies {
        proxy.close();
    }
    let deadline = Instant::now() + LEAVE_TIMEOUT;
    while is_waited_on() && Instant::now() < deadline {
        thread::yield_now();
    }
    if !peers.is_empty() || !servers.is_empty() || !proxies.is_empty() || !CONDITIONS.all().0.is_empty() {
        thread::sleep(RETURN_TIME);
    }
    // (gdext refuses to initialise a debug build again that has stayed.)
    if !cfg!(debug_assertions) && availability::was_called() {
        // Where that fails, there is nothing else to be done.
        let _ = pin_library();
    }
}
