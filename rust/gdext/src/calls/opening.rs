//! Opening: `bind()` of a peer, `listen()` of a server, and their local addresses.

use godot::builtin::GString;
use godot::global::Error as GodotError;
use packet_peer_udp_core::{Error, Operation, Peer, Reason, Result, format_address};

use super::outcome::to_error;
use crate::convert::{self, Text, to_godot_error};
use crate::messages;
use crate::report::Limit;
use crate::shared::{Shared, SharedServer};

pub(crate) fn bind(shared: &Shared, port: i64, bind_address: &GString, recv_buf_size: i64) -> GodotError {
    let result = bind_peer(&shared.peer, port, &Text::from(bind_address), recv_buf_size);
    to_error(shared, "bind", Limit::Native, result, |error| messages::bind(error, &shared.peer, bind_address))
}

fn bind_peer(peer: &Peer, port: i64, address: &str, recv_buf_size: i64) -> Result<()> {
    match convert::port(Operation::Bind, address, port) {
        Ok(port) => peer.bind(port, address, convert::queue_size(recv_buf_size)),
        // As in the engine, an open peer comes before a port out of range.
        Err(_) if peer.is_open() => peer.fail(Error::new(Operation::Bind, address, Reason::AlreadyOpen)),
        Err(error) => peer.fail(error),
    }
}

pub(crate) fn get_local_port(shared: &Shared) -> i64 {
    if let Some(address) = shared.peer.local_addr() {
        return address.port().into();
    }
    shared.reporter.print("get_local_port", Limit::Native, &messages::NO_LOCAL_PORT);
    0
}

pub(crate) fn get_local_address(shared: &Shared) -> GString {
    shared.peer.local_addr().map_or(GString::new(), |address| GString::from(&format_address(address)))
}

pub(crate) fn listen(shared: &SharedServer, port: i64, bind_address: &GString) -> GodotError {
    let SharedServer { server, reporter, .. } = shared;
    let local_port = || server.local_addr().map(|address| address.port());
    let result = server.listen(convert::truncated_port(port), &Text::from(bind_address));
    shared.report_refusals();
    let message = match &result {
        Ok(()) if u16::try_from(port).is_err() => Some(messages::listens_on(port, local_port())),
        Ok(()) => None,
        Err(error) => messages::listen(error, local_port(), bind_address),
    };
    if let Some(text) = message {
        reporter.print("listen", Limit::Native, &text);
    }
    result.err().map_or(GodotError::OK, |error| to_godot_error(&error))
}

pub(crate) fn get_server_port(shared: &SharedServer) -> i64 {
    if let Some(address) = shared.server.local_addr() {
        return address.port().into();
    }
    shared.reporter.print("get_local_port", Limit::Native, &messages::SERVER_HAS_NO_PORT);
    0
}
