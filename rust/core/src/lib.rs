//! The sockets, queues and waiting behind `PacketPeerUdpRs`, `UdpServerRs` and `UdpLinkProxy`. Knows no Godot; tested by plain `cargo test`.
//!
//! `docs/architecture.md` has the data flow, the module table, the lock order, and the life of a packet, of a wait, of a close and of an
//! option. No module imports one that imports it (`scripts/acyclic.sh`).
//!
//! # Rules
//!
//! - Every method of [`Peer`], [`Server`] and [`Proxy`] may be called from any thread.
//! - Locks guard data, not time: nothing that can block is called under a lock, and no callback into Godot exists.
//! - Nothing that a script or a packet does can panic.
//! - Locks are taken in the order of their ranks, see [`locks`].
// Three modules have reasons, which they give; `sys` talks to the system.
#![deny(unsafe_code)]

mod address;
mod arena_pool;
mod arrivals;
mod clock;
mod diagnostics;
mod due_timer;
mod endpoint;
mod error;
mod frames;
/// What `rust/fuzz` calls. Not in the library: only tests and fuzz targets are built with it.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod inbox;
mod interface;
mod link;
#[allow(unsafe_code, reason = "a raw lock carries promises, which are passed on")]
mod locks;
mod names;
mod peer;
mod peer_table;
mod pending_signals;
mod proxy;
mod queue;
#[allow(unsafe_code, reason = "registering a socket with a poller carries a promise")]
mod reactor;
mod resolver;
mod route;
mod sender_lanes;
mod server;
mod sink;
mod socket;
mod stats;
#[allow(unsafe_code, reason = "calls into the system that no library offers")]
mod sys;
mod threads;
mod transport;
mod waiters;

pub use address::format_address;
pub use clock::{clock_nsec, set_clock_origin};
pub use diagnostics::LastError;
pub use error::{Error, Operation, Reason, Result};
pub use frames::begin_frame;
pub use inbox::Taken;
pub use interface::{broadcast_addresses, interface_list_refusal};
pub use link::conditions::{Conditions, Jitter, SharedConditions};
pub use link::counts::LinkStats;
pub use peer::drain::{Drain, PacketRun};
pub use peer::send::MAX_PAYLOAD_IPV4;
pub use peer::{DestinationChange, Peer, Resolved};
pub use pending_signals::take_pending_signals;
pub use proxy::{DirectionStats, Proxy, ProxyStats};
pub use queue::{MAX_DATAGRAM, OverflowPolicy, Packet, PacketMeta};
pub use reactor::background_threads;
pub use resolver::resolver_threads;
pub use server::{Server, ServerStats};
pub use socket::options::{Options, Refusal, SocketOption};
pub use stats::{Stats, Totals};
pub use sys::{IO_MODE_VARIABLE, IoMode, io_mode_limit, prefetch_memory};
pub use waiters::WaitEnd;

/// How an interface is written, given its index: by its name where the system's resolver reads names after the `%` of an address,
/// else (Windows) by its number. See [`PacketMeta::interface`].
#[must_use]
pub fn interface_text(index: u32) -> String {
    interface::scope_text(index)
}

/// Keeps the library that contains this code in memory until the process ends. Whether that has succeeded.
#[must_use]
pub fn pin_library() -> bool {
    sys::pin_library()
}

/// Ends the background thread and frees what is kept for later. For the end of the process, or of the library, when all peers are
/// closed.
pub fn shut_down() {
    reactor::shut_down();
    resolver::shut_down();
    waiters::release_kept_waker();
    arena_pool::release();
}
