//! A destination that is being looked up for a call that does not block.

use std::net::SocketAddr;

use crate::error::{Error, Operation, Reason};
use crate::names;
use crate::resolver::LookupGuard;

/// The outcome of [`Peer::set_destination`](crate::Peer::set_destination).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationChange {
    /// The destination is the new one, or will be when its name is resolved.
    Set,
    /// The peer is connected, and its destination stays what it is connected to.
    Connected,
}

/// The outcome of a [`Peer::set_destination_async`](crate::Peer::set_destination_async) or
/// [`Peer::connect_async`](crate::Peer::connect_async).
#[derive(Debug)]
pub struct Resolved {
    /// The address that was found; `None` where there is none.
    pub address: Option<SocketAddr>,
    /// What failed, if anything.
    pub error: Option<Error>,
}

/// What is to be done with the address that is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    SetDestination { port: u16 },
    Connect { port: u16 },
}

impl Purpose {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::SetDestination { .. } => Operation::SetDestination,
            Self::Connect { .. } => Operation::Connect,
        }
    }

    /// The addresses of `host` that are known without the resolver.
    pub(super) fn cached(self, host: &str) -> Result<Option<Vec<SocketAddr>>, Reason> {
        match self {
            Self::SetDestination { .. } => names::cached_destination(host),
            Self::Connect { .. } => names::cached(host),
        }
    }

    pub(super) fn port(self) -> u16 {
        let (Self::SetDestination { port } | Self::Connect { port }) = self;
        port
    }
}

/// A name that is being looked up.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) guard: LookupGuard,
    pub(super) host: String,
    pub(super) purpose: Purpose,
}

/// How far the calls that set a destination have come.
#[derive(Debug, Default)]
pub(super) struct PendingLookup {
    /// How many calls there were. A name that was looked up for an older one is of no use.
    pub(super) calls: u64,
    /// How many calls block in the resolver.
    pub(super) blocking: usize,
    // Boxed, because most peers never look up a name.
    lookup: Option<Box<Lookup>>,
    /// For [`Peer::take_resolved`](crate::Peer::take_resolved).
    resolved: Option<Box<Resolved>>,
}

impl PendingLookup {
    /// Begins a call, which cancels the one before; the number of the call.
    pub(super) fn begin(&mut self) -> u64 {
        self.cancel();
        self.calls += 1;
        self.calls
    }

    /// Cancels the call whose name is being looked up, or whose outcome was not taken yet.
    pub(super) fn cancel(&mut self) {
        self.resolved = None;
        self.lookup = None;
    }

    /// Whether there is a call that a new one would cancel.
    pub(super) fn is_pending(&self) -> bool {
        self.lookup.is_some() || self.resolved.is_some() || self.blocking > 0
    }

    pub(super) fn is_resolving(&self) -> bool {
        self.lookup.is_some()
    }

    pub(super) fn start(&mut self, lookup: Lookup) {
        self.lookup = Some(Box::new(lookup));
    }

    /// The look-up with that number, if it was not cancelled.
    pub(super) fn get(&self, id: u64) -> Option<&Lookup> {
        self.lookup.as_deref().filter(|lookup| lookup.guard.id() == id)
    }

    /// Stores the outcome of the call.
    pub(super) fn finish(&mut self, resolved: Resolved) {
        self.lookup = None;
        self.resolved = Some(Box::new(resolved));
    }

    pub(super) fn has_resolved(&self) -> bool {
        self.resolved.is_some()
    }

    pub(super) fn take_resolved(&mut self) -> Option<Resolved> {
        self.resolved.take().map(|resolved| *resolved)
    }
}
