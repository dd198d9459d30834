//! Closing everything before the library is unloaded.

use std::thread;
use std::time::{Duration, Instant};

use crate::registry::Registered;
use crate::shared::{PEERS, SERVERS};

/// The longest that unloading waits for threads to leave their waits. They need a processor for it, and nothing else.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a thread may need from the end of a wait until it is back in the engine, when nothing here can see it.
const RETURN_TIME: Duration = Duration::from_millis(50);

/// Closes every peer and stops every server, and returns when no thread is in a wait any more: a thread that returned later
/// would return into code that is not there. (The engine frees the objects only afterwards.)
pub(crate) fn close_all() {
    let ((peers, _), (servers, _)) = (PEERS.all(), SERVERS.all());
    let is_waited_on = || servers.iter().any(|server| server.waits() > 0) || peers.iter().any(|peer| peer.waits() > 0);
    let was_waited_on = is_waited_on();
    for peer in &peers {
        peer.close();
    }
    for server in &servers {
        server.close();
    }
    if was_waited_on {
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        while is_waited_on() && Instant::now() < deadline {
            thread::yield_now();
        }
        thread::sleep(RETURN_TIME);
    }
}
