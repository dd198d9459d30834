//! The core's types in Godot's.

use godot::global::Error as GodotError;
use godot::prelude::{VarDictionary, vdict};
use packet_peer_udp_core::{Error, Operation, Reason, Stats};

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
        (Reason::Connected | Reason::Served, _) => GodotError::ERR_LOCKED,
        (Reason::Busy(_), _) => GodotError::ERR_BUSY,
        (Reason::Closed | Reason::Superseded | Reason::NoInterface | Reason::NotShared(_), _)
        | (Reason::NoScope(_) | Reason::Os(_), Operation::Bind) => GodotError::ERR_UNAVAILABLE,
        (Reason::NoScope(_) | Reason::NoSocket(_) | Reason::WrongFamily(Some(_)) | Reason::Os(_), _) => {
            GodotError::FAILED
        }
    }
}

/// A count, as scripts have them.
pub(crate) fn to_int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What has happened, as `get_stats()` tells it.
pub(crate) fn stats_dictionary(stats: &Stats) -> VarDictionary {
    vdict! {
        "packets_sent" => to_int(stats.packets_sent),
        "bytes_sent" => to_int(stats.bytes_sent),
        "packets_received" => to_int(stats.packets_received),
        "bytes_received" => to_int(stats.bytes_received),
        "packets_dropped_queue" => to_int(stats.packets_dropped_queue),
        "packets_dropped_kernel" => to_int(stats.packets_dropped_kernel),
        "send_errors" => to_int(stats.send_errors),
        "receive_errors" => to_int(stats.receive_errors),
        "send_syscalls" => to_int(stats.send_syscalls),
        "receive_syscalls" => to_int(stats.receive_syscalls),
    }
}
