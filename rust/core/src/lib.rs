//! The sockets, queues and waiting behind `PacketPeerUdpRs` and `UdpServerRs`. Knows no Godot; tested by plain `cargo test`.
//!
//! # Modules
//!
//! Data flows one way: kernel → [`sys`] → [`endpoint`] → [`sink`] → [`inbox`] → [`peer`]. `docs/architecture.md` has the picture, and
//! the life of a packet, of a wait and of a close. No module imports one that imports it (`scripts/acyclic.sh`).
//!
//! | module | role |
//! |---|---|
//! | [`address`], [`interface`], [`clock`], [`error`], [`stats`] | values, as text and as types |
//! | [`sys`] | the platforms, behind one contract |
//! | [`socket`] | one UDP socket: open, bind, connect, options, groups |
//! | [`queue`] | received packets, bounded in bytes |
//! | [`diagnostics`] | counters and the last error of a peer or a server |
//! | [`sink`] | the trait of what an endpoint delivers to |
//! | [`inbox`] | the sink of one peer: its queue, and what was taken last |
//! | [`peer_table`] | the sink of a server: remote address → inbox of a peer |
//! | [`locks`] | the lock order |
//! | [`waiters`] | the waits on one socket, and how they end |
//! | [`reactor`] | the background thread: readable sockets and timers |
//! | [`endpoint`] | an open socket: reading it, waiting on it, closing it |
//! | [`transport`] | closed, a socket of its own, or the server's; options; opening and closing |
//! | [`names`], [`resolver`] | host names to addresses, blocking and in threads |
//! | [`pending_signals`] | which peers have a signal to emit |
//! | [`peer`], [`server`] | the API |
//! | [`arena_pool`], [`threads`] | receive memory shared by all; joining threads |
//!
//! # Rules
//!
//! - Every method of [`Peer`] and [`Server`] may be called from any thread.
//! - Locks guard data, not time: nothing that can block is called under a lock, and no callback into Godot exists.
//! - Nothing that a script or a packet does can panic.
//!
//! # Lock order
//!
//! A thread that holds a lock takes only locks to the right of it:
//!
//! accepted peer's state → server's idle timer → server's state → endpoint's shared socket → receiver → peer table → inbox → attention (waiters and
//! registration) → reactor's thread → its sources → its timers
//!
//! A name look-up is started and cancelled under a peer's state (state → resolver). The diagnostics, the pools of arenas and wakers,
//! the pending signals and the caches of names and interfaces are leaves: no other lock is taken under them. Several inboxes are
//! locked at once only by [`peer_table`], with `try_lock`. [`locks`] has the order as ranks, which debug builds check.
// Three modules have reasons, which they give; `sys` talks to the system.
#![deny(unsafe_code)]

mod address;
mod arena_pool;
mod clock;
mod diagnostics;
mod endpoint;
mod error;
mod inbox;
mod interface;
#[allow(unsafe_code, reason = "a raw lock carries promises, which are passed on")]
mod locks;
mod names;
mod peer;
mod peer_table;
mod pending_signals;
mod queue;
#[allow(unsafe_code, reason = "registering a socket with a poller carries a promise")]
mod reactor;
mod resolver;
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
pub use inbox::Taken;
pub use interface::broadcast_addresses;
pub use peer::drain::{Drain, PacketRun};
pub use peer::send::MAX_PAYLOAD_IPV4;
pub use peer::{DestinationChange, Peer, Resolved};
pub use pending_signals::take_pending_signals;
pub use queue::{MAX_DATAGRAM, OverflowPolicy, Packet, PacketMeta};
pub use reactor::background_threads;
pub use resolver::resolver_threads;
pub use server::{Server, ServerStats};
pub use socket::options::{Options, Refusal, SocketOption};
pub use stats::{Stats, Totals};
pub use sys::{IO_MODE_VARIABLE, IoMode, io_mode_limit};
pub use waiters::WaitEnd;

/// Ends the background thread and frees what is kept for later. For the end of the process, or of the library, when all peers are
/// closed.
pub fn shut_down() {
    reactor::shut_down();
    resolver::shut_down();
    waiters::release_kept_wakers();
    arena_pool::release();
}
