//! How a call ends: the value that the script gets, and what is printed.
//!
//! Everything here prints, which may run a script: it is called with no lock and no borrow held.

use godot::global::Error as GodotError;
use packet_peer_udp_core::{Error, Result};

use crate::convert::{count_to_int, to_godot_error};
use crate::report::Limit;
use crate::shared::Shared;

/// The `Error` of a call. Prints what `message` says of a failure, if anything, and which options were refused if the call
/// has opened the peer.
pub(crate) fn to_error(
    shared: &Shared,
    member: &'static str,
    limit: Limit,
    result: Result<()>,
    message: impl FnOnce(&Error) -> Option<String>,
) -> GodotError {
    shared.report_refusals();
    match result {
        Ok(()) => GodotError::OK,
        Err(error) => {
            if let Some(text) = message(&error) {
                shared.reporter.print(member, limit, &text);
            }
            to_godot_error(&error)
        }
    }
}

/// The count that a call of a member that only we have returns, -1 if it has failed. Otherwise as [`to_error`].
pub(crate) fn to_count(
    shared: &Shared,
    member: &'static str,
    result: Result<usize>,
    message: impl FnOnce(&Error) -> String,
) -> i64 {
    shared.report_refusals();
    match result {
        Ok(count) => count_to_int(count),
        Err(error) => {
            shared.reporter.print(member, Limit::Ours, &message(&error));
            -1
        }
    }
}
