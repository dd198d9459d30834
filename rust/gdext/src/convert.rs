//! The core's errors in Godot's.

use godot::global::Error as GodotError;
use packet_peer_udp_core::{Error, Operation, Reason};

/// The `Error` that a script gets: the one that `PacketPeerUDP` answers in the same situation.
pub(crate) fn to_godot_error(error: &Error) -> GodotError {
    match (&error.reason, error.operation) {
        (Reason::NotOpen, Operation::Receive) => GodotError::FAILED,
        (Reason::NotOpen | Reason::NoDestination | Reason::NoBroadcast, _) => GodotError::ERR_UNCONFIGURED,
        (Reason::AlreadyOpen, _) => GodotError::ERR_ALREADY_IN_USE,
        // Setting a destination, the engine takes whatever is no address for a name.
        (Reason::InvalidAddress | Reason::UnknownInterface(_), Operation::SetDestination)
        | (Reason::Unresolvable(_), _) => GodotError::ERR_CANT_RESOLVE,
        (
            Reason::InvalidAddress
            | Reason::InvalidPort(_)
            | Reason::InvalidSegment(_)
            | Reason::OutOfRange(_)
            | Reason::InvalidTimeout(_)
            | Reason::UnknownInterface(_)
            | Reason::WrongFamily(None),
            _,
        ) => GodotError::ERR_INVALID_PARAMETER,
        (Reason::NoSocket(_), Operation::Bind) | (Reason::NoThread(_), _) => GodotError::ERR_CANT_CREATE,
        (Reason::NoSocket(_), Operation::Connect) => GodotError::ERR_CANT_OPEN,
        (Reason::Connected, _) => GodotError::ERR_LOCKED,
        (Reason::Busy(_), _) => GodotError::ERR_BUSY,
        (Reason::Closed | Reason::Superseded | Reason::NoInterface | Reason::NotShared(_), _)
        | (Reason::NoScope(_) | Reason::Os(_), Operation::Bind) => GodotError::ERR_UNAVAILABLE,
        (Reason::NoScope(_) | Reason::NoSocket(_) | Reason::WrongFamily(Some(_)) | Reason::Os(_), _) => {
            GodotError::FAILED
        }
    }
}
