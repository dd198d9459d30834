//! Blocking until there is a packet.

use godot::global::Error as GodotError;
use packet_peer_udp_core::WaitEnd;

use super::outcome::to_error;
use crate::convert;
use crate::messages;
use crate::report::Limit;
use crate::shared::Shared;

pub(crate) fn wait(shared: &Shared, timeout_msec: i64) -> GodotError {
    let result = match convert::timeout(timeout_msec) {
        Ok(timeout) => shared.peer.wait(timeout),
        Err(error) => shared.peer.fail(error),
    };
    match result {
        Ok(WaitEnd::Ready) => GodotError::OK,
        Ok(WaitEnd::TimedOut) => GodotError::ERR_TIMEOUT,
        Ok(WaitEnd::Interrupted) => GodotError::ERR_SKIP,
        Ok(WaitEnd::Closed) => GodotError::ERR_UNAVAILABLE,
        Err(error) => to_error(shared, "wait", Limit::Native, Err(error), |error| Some(messages::wait(error))),
    }
}
