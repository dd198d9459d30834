//! The core's errors and results in Godot's types.

use godot::global::Error as GodotError;
use packet_peer_udp_core::{Error, Operation, Reason};

/// The `Error` that a script gets: the one that `PacketPeerUDP` answers in the same situation.
pub(crate) fn to_godot_error(error: &Error) -> GodotError {
    match (&error.reason, error.operation) {
        (Reason::NotOpen, Operation::Receive) => GodotError::FAILED,
        (Reason::NotOpen | Reason::NoDestination, _) => GodotError::ERR_UNCONFIGURED,
        (Reason::AlreadyOpen, _) => GodotError::ERR_ALREADY_IN_USE,
        // Setting a destination, the engine takes whatever is no address for a name.
        (Reason::InvalidAddress, Operation::SetDestination) | (Reason::Unresolvable(_), _) => {
            GodotError::ERR_CANT_RESOLVE
        }
        (Reason::InvalidAddress | Reason::InvalidPort(_) | Reason::UnknownInterface(_), _) => {
            GodotError::ERR_INVALID_PARAMETER
        }
        (Reason::WrongFamily(_), Operation::JoinGroup | Operation::LeaveGroup) => GodotError::ERR_INVALID_PARAMETER,
        (Reason::Busy(_), _) => GodotError::ERR_BUSY,
        (Reason::Os(_), Operation::Bind) => GodotError::ERR_UNAVAILABLE,
        _ => GodotError::FAILED,
    }
}
