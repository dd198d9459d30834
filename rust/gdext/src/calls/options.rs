//! Setting properties, of peers and of servers. A property that cannot be set stays as it was, and a line says why.

use packet_peer_udp_core::{Error, Result, SocketOption};

use crate::convert;
use crate::messages::{
    self, BUFFER_RANGE, BYTE_RANGE, HOPS_RANGE, PEERS_QUEUE_RANGE, PENDING_RANGE, QUEUE_RANGE, TIMEOUT_RANGE,
};
use crate::report::Reporter;
use crate::shared::{Shared, SharedServer};

/// What has socket options: a peer or a server.
pub(crate) trait HasOptions {
    fn reporter(&self) -> &Reporter;
    fn fail<T>(&self, error: Error) -> Result<T>;
    fn set_option(&self, option: SocketOption) -> Result<()>;
    fn set_receive_buffer_size(&self, bytes: usize) -> Result<()>;
    fn set_send_buffer_size(&self, bytes: usize) -> Result<()>;
    fn set_background_receive(&self, enabled: bool) -> Result<()>;
}

impl HasOptions for Shared {
    fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    fn fail<T>(&self, error: Error) -> Result<T> {
        self.peer.fail(error)
    }

    fn set_option(&self, option: SocketOption) -> Result<()> {
        self.peer.set_option(option)
    }

    fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        self.peer.set_receive_buffer_size(bytes)
    }

    fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        self.peer.set_send_buffer_size(bytes)
    }

    fn set_background_receive(&self, enabled: bool) -> Result<()> {
        self.peer.set_background_receive(enabled)
    }
}

impl HasOptions for SharedServer {
    fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    fn fail<T>(&self, error: Error) -> Result<T> {
        self.server.fail(error)
    }

    fn set_option(&self, option: SocketOption) -> Result<()> {
        self.server.set_option(option)
    }

    fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        self.server.set_receive_buffer_size(bytes)
    }

    fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        self.server.set_send_buffer_size(bytes)
    }

    fn set_background_receive(&self, enabled: bool) -> Result<()> {
        self.server.set_background_receive(enabled)
    }
}

/// Sets an option that takes every value of its type.
pub(crate) fn set_option(owner: &impl HasOptions, option: SocketOption) {
    let property = option.name();
    report(owner, property, owner.set_option(option), "");
}

pub(crate) fn set_background_receive(owner: &impl HasOptions, enabled: bool) {
    report(owner, "background_receive", owner.set_background_receive(enabled), "");
}

pub(crate) fn set_receive_buffer_size(owner: &impl HasOptions, bytes: i64) {
    let property = "receive_buffer_size";
    let size = convert::buffer_size(property, bytes);
    set(owner, property, BUFFER_RANGE, size, |size| owner.set_receive_buffer_size(size));
}

pub(crate) fn set_send_buffer_size(owner: &impl HasOptions, bytes: i64) {
    let property = "send_buffer_size";
    let size = convert::buffer_size(property, bytes);
    set(owner, property, BUFFER_RANGE, size, |size| owner.set_send_buffer_size(size));
}

pub(crate) fn set_time_to_live(owner: &impl HasOptions, hops: i64) {
    let property = "time_to_live";
    let set_hops = |hops| owner.set_option(SocketOption::TimeToLive(hops));
    set(owner, property, HOPS_RANGE, convert::hop_limit(property, hops), set_hops);
}

pub(crate) fn set_traffic_class(owner: &impl HasOptions, class: i64) {
    let property = "traffic_class";
    let set_class = |class| owner.set_option(SocketOption::TrafficClass(class));
    set(owner, property, BYTE_RANGE, convert::byte(property, class), set_class);
}

pub(crate) fn set_multicast_time_to_live(owner: &impl HasOptions, hops: i64) {
    let property = "multicast_time_to_live";
    let set_hops = |hops| owner.set_option(SocketOption::MulticastTimeToLive(hops));
    set(owner, property, BYTE_RANGE, convert::byte(property, hops), set_hops);
}

pub(crate) fn set_overflow_policy(shared: &Shared, policy: i64) {
    if let Some(policy) = convert::overflow_policy(policy) {
        return shared.peer.set_overflow_policy(policy);
    }
    let text = messages::overflow_policy(policy);
    shared.peer.note_misuse(&text);
    shared.reporter.print_of_property("overflow_policy", &text);
}

pub(crate) fn set_queue_size(shared: &Shared, bytes: i64) {
    let property = "queue_size";
    set(shared, property, QUEUE_RANGE, convert::buffer_size(property, bytes), |bytes| {
        shared.peer.set_queue_size(bytes)
    });
}

pub(crate) fn set_peers_queue_size(shared: &SharedServer, bytes: i64) {
    let property = "queue_size";
    let set_size = |bytes| {
        shared.server.set_queue_size(bytes);
        Ok(())
    };
    set(shared, property, PEERS_QUEUE_RANGE, convert::buffer_size(property, bytes), set_size);
}

pub(crate) fn set_max_pending_connections(shared: &SharedServer, max: i64) {
    let property = "max_pending_connections";
    let set_max = |max| {
        shared.server.set_max_pending(max);
        Ok(())
    };
    set(shared, property, PENDING_RANGE, convert::unsigned(property, max), set_max);
}

pub(crate) fn set_peer_timeout_msec(shared: &SharedServer, msec: i64) {
    let property = "peer_timeout_msec";
    let set_msec = |msec| {
        shared.server.set_peer_timeout_msec(msec);
        Ok(())
    };
    set(shared, property, TIMEOUT_RANGE, convert::unsigned(property, msec), set_msec);
}

/// Sets a property to a value that may be out of range.
fn set<T>(
    owner: &impl HasOptions,
    property: &'static str,
    range: &str,
    value: Result<T>,
    set: impl FnOnce(T) -> Result<()>,
) {
    let result = match value {
        Ok(value) => set(value),
        Err(error) => owner.fail(error),
    };
    report(owner, property, result, range);
}

fn report(owner: &impl HasOptions, property: &'static str, result: Result<()>, range: &str) {
    if let Err(error) = result {
        owner.reporter().print_of_property(property, &messages::refused_property(&error, range));
    }
}
