//! What must be at hand before a socket is opened under a lock.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::address;
use crate::diagnostics::Diagnostics;
use crate::error::Reason;
use crate::interface;
use crate::sink::Sink;
use crate::socket::options::Options;
use crate::sys::Interface;

/// Where `bind` binds to: an address, or all addresses of both families.
pub(crate) type BindAddress = Option<SocketAddr>;

/// Reads the address that a script passes to `bind`; `"*"` stands for all. May list interfaces.
pub(crate) fn parse_bind_address(text: &str) -> Result<BindAddress, Reason> {
    match text {
        "*" => Ok(None),
        _ => address::parse_scoped(text)?.map(Some).ok_or(Reason::InvalidAddress),
    }
}

/// The interface that [`Options::multicast_interface`] names, looked up without a lock.
#[derive(Debug)]
pub(crate) struct MulticastInterface {
    name: String,
    pub(super) found: io::Result<Option<Interface>>,
}

/// Of options that name none.
impl Default for MulticastInterface {
    fn default() -> Self {
        Self { name: String::new(), found: Ok(None) }
    }
}

impl MulticastInterface {
    pub(crate) fn look_up(name: String) -> Self {
        let found = if name.is_empty() { Ok(None) } else { interface::find(&name) };
        Self { name, found }
    }

    /// Whether it is still the one that the options name.
    pub(super) fn is_current(&self, options: &Options) -> bool {
        self.name == options.multicast_interface
    }
}

/// What a new endpoint delivers to and counts with.
pub(crate) struct User {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) diagnostics: Arc<Diagnostics>,
}

/// The options have changed since the multicast interface was looked up, so that must be done again.
pub(crate) struct Outdated;
