//! What is said of a property that cannot be set, of either class.

use packet_peer_udp_core::{Error, Reason, Result, SocketOption};

use crate::report::Reporter;

/// What a buffer's size may be.
pub(crate) const BUFFER_RANGE: &str = "use 1 to 2147483647, or 0 for the default";

/// What an option may be.
pub(crate) fn range(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::TimeToLive(_) => "use 1 to 255, or 0 for the system's default",
        SocketOption::TrafficClass(_) | SocketOption::MulticastTimeToLive(_) => "use 0 to 255",
        _ => "",
    }
}

/// Says why a property stays as it was, where that is so; for a number out of range what `range` says.
pub(crate) fn explain(reporter: &Reporter, property: &'static str, result: Result<()>, range: &str) {
    match result {
        Ok(()) => {}
        Err(Error { reason: Reason::OutOfRange(value), .. }) => {
            reporter.print_of_property(property, &format_args!("{value} is out of range; {range}."));
        }
        Err(error) => reporter.print_of_property(property, &remedy(&error)),
    }
}

/// What to do about an option that is refused.
pub(crate) fn remedy(error: &Error) -> String {
    match &error.reason {
        Reason::Served => "the peer belongs to a server, and so does this; set it there.".to_owned(),
        Reason::UnknownInterface(name) => format!(
            "there is no interface \"{name}\" with a fitting address; IP.get_local_interfaces() lists them, and \"\" leaves \
             the choice to the system."
        ),
        _ => format!("the system refuses: {error}."),
    }
}
