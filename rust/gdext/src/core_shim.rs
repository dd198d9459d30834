//! Stage 1 only: what the core will offer, on top of what it offers now.

use packet_peer_udp_core::{Error, Peer, Result, Server};

pub(crate) trait PeerShim {
    fn fail<T>(&self, error: Error) -> Result<T>;
    fn cancel_resolving(&self);
    fn has_destination(&self, host: &str, port: u16) -> bool;
    fn is_accepted(&self) -> bool;
    fn enable_signals(&self, token: u64);
    fn mark_queued(&self);
    fn take_pending_signal(&self) -> Option<usize>;
}

impl PeerShim for Peer {
    fn fail<T>(&self, error: Error) -> Result<T> {
        self.note_misuse(&error.to_string());
        Err(error)
    }
    fn cancel_resolving(&self) {
        let _ = self.connect("", -1);
    }
    fn has_destination(&self, _host: &str, _port: u16) -> bool {
        false
    }
    fn is_accepted(&self) -> bool {
        self.is_served()
    }
    fn enable_signals(&self, token: u64) {
        self.set_token(token);
    }
    fn mark_queued(&self) {
        self.note_queued();
    }
    fn take_pending_signal(&self) -> Option<usize> {
        self.take_news()
    }
}

pub(crate) trait ServerShim {
    fn fail<T>(&self, error: Error) -> Result<T>;
}

impl ServerShim for Server {
    fn fail<T>(&self, error: Error) -> Result<T> {
        Err(error)
    }
}

pub(crate) fn take_pending_signals() -> Vec<u64> {
    packet_peer_udp_core::take_news()
}

pub(crate) fn new_error(
    operation: packet_peer_udp_core::Operation,
    subject: impl Into<String>,
    reason: packet_peer_udp_core::Reason,
) -> Error {
    Error { operation, subject: subject.into(), reason }
}

pub(crate) fn close_silent() {
    for shared in crate::shared::SERVERS.all().0 {
        if shared.server.background_receive() {
            shared.server.close_silent();
        }
    }
}

pub(crate) fn old(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
