//! A server: one socket, and a peer for everybody who sends to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clocks;
use crate::error::{Error, Operation, Reason, Result};
use crate::peer::options::{Options, Refusal, SocketOption};
use crate::peer::stats::Stats;
use crate::peer::{LastError, Peer};

pub(crate) mod crowd;

use crowd::Crowd;

/// What the kernel is asked for as the receive buffer unless a script says otherwise, in bytes: a whole crowd may send at
/// the same moment, and what does not fit is lost. The kernel uses memory for it only as packets wait.
const RECEIVE_BUFFER: i64 = 4 << 20;

/// A UDP server with the semantics of the engine's `UDPServer`, usable from any number of threads at once.
///
/// Whoever sends to it for the first time becomes a pending peer, up to [a number](Self::set_max_pending), until it is
/// [taken](Self::take). A taken peer stays the server's until it is closed, by [`Peer::close`], by
/// [silence](Self::set_peer_timeout_msec) or by [`stop`](Self::stop): dropping it is not enough. Finding a packet's peer takes
/// the same time however many there are.
#[derive(Debug)]
pub struct Server {
    /// Has the socket, and deals out among the crowd what that receives.
    listener: Arc<Peer>,
    crowd: Arc<Crowd>,
    /// When it was last polled, in microseconds, and how many packets the kernel had dropped by then.
    polled_at: AtomicU64,
    kernel_drops: AtomicU64,
}

/// What has happened to a server and all of its peers since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Of all peers together, those that are gone included, and of the socket.
    pub all: Stats,
    /// Packets of those who became no peers because too many were pending, or who were dropped while they were pending.
    pub packets_dropped_pending: u64,
}

impl Default for Server {
    fn default() -> Self {
        let crowd = Arc::default();
        Self {
            listener: Peer::listener(Arc::clone(&crowd), Options { reuse_address: true, ..Options::default() }),
            crowd,
            polled_at: AtomicU64::new(0),
            kernel_drops: AtomicU64::new(0),
        }
    }
}

impl Server {
    /// Begins to listen, on one address or with `"*"` on all of both families, as [`Peer::bind`] does.
    ///
    /// Any port is taken; as in the engine only its lower 16 bits count.
    pub fn listen(&self, port: i64, address: &str) -> Result<()> {
        self.listener.bind(port & 0xffff, address, RECEIVE_BUFFER)
    }

    /// Ends listening. When this returns the port is free, pending peers are gone, and all others are closed.
    pub fn stop(&self) {
        self.listener.close();
    }

    /// Reads what the socket holds, and gives each packet to its peer. Closes peers that were silent for too long.
    ///
    /// However much arrives meanwhile, one call reads no more than the kernel's buffer can have held when it began.
    pub fn poll(&self) -> Result<()> {
        self.listener.poll()?;
        let timeout = self.crowd.members().timeout();
        if timeout > 0 {
            self.forgive(timeout);
            self.close_silent();
        }
        Ok(())
    }

    /// Where nobody has read for so long that the kernel had to drop packets, whoever seems to have been silent may have sent
    /// these.
    fn forgive(&self, timeout: u64) {
        let now = Clocks::now().time_of(None);
        let pause = now.saturating_sub(self.polled_at.swap(now, Ordering::Relaxed));
        if pause < timeout / 2 || self.listener.is_fed() {
            return;
        }
        let drops = self.listener.kernel_drops();
        if self.kernel_drops.swap(drops, Ordering::Relaxed) < drops {
            self.crowd.members().forgive(now);
        }
    }

    /// Closes the peers that were silent for too long. [`poll`](Self::poll) does so too; where receiving is in the background
    /// nobody may call that.
    pub fn close_silent(&self) {
        let is_anybody_due = self.crowd.members().is_anybody_due(Clocks::now().time_of(None));
        if !is_anybody_due {
            return;
        }
        let Some(until) = self.listener.heard_until() else { return };
        let silent = self.crowd.members().take_silent(until);
        for peer in silent {
            peer.fall_silent(self.peer_timeout_msec());
        }
    }

    /// Whether there is a socket.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listener.is_open()
    }

    /// The socket's own address; `None` when the server does not listen.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Whether there is a pending peer.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.crowd.members().has_pending()
    }

    /// Takes the peer that has been pending for longest.
    #[must_use]
    pub fn take(&self) -> Option<Arc<Peer>> {
        let now = Clocks::now().time_of(None);
        self.crowd.members().take(now)
    }

    /// How many peers were taken and still are the server's.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.crowd.members().taken()
    }

    /// How many peers may be pending at once.
    #[must_use]
    pub fn max_pending(&self) -> usize {
        self.crowd.members().max_pending()
    }

    /// Sets how many peers may be pending at once: the packets of more are dropped, and where there are more already, these
    /// are too, newest first. With 0 nobody new is let in.
    pub fn set_max_pending(&self, max: i64) -> Result<()> {
        let max = self.in_range("max_pending_connections", max)?;
        let dropped = self.crowd.members().set_max_pending(max);
        let packets = dropped.iter().map(|peer| self.listener.disown(peer)).sum();
        self.crowd.members().drop_packets(packets);
        Ok(())
    }

    /// After how much silence a peer is closed, in milliseconds; 0 for never.
    #[must_use]
    pub fn peer_timeout_msec(&self) -> u64 {
        self.crowd.members().timeout() / 1_000
    }

    /// Sets after how much silence a peer that was taken is closed, in milliseconds; 0 for never.
    ///
    /// Such a peer has lost its destination, too: who goes on sending by it is told. Packets that wait to be read are no
    /// silence. Nor is what may have been dropped when nobody has read for long, where the
    /// kernel tells (Linux).
    pub fn set_peer_timeout_msec(&self, msec: i64) -> Result<()> {
        let msec = self.in_range("peer_timeout_msec", msec)?;
        self.crowd.members().set_timeout(msec as u64 * 1_000);
        Ok(())
    }

    /// As a number of what there cannot be less than none of, nor more than four billion.
    fn in_range(&self, option: &str, value: i64) -> Result<usize> {
        let fits = u32::try_from(value).ok().and_then(|value| usize::try_from(value).ok());
        self.listener.noted(
            fits.ok_or_else(|| {
                Error::new(Operation::SetOption, format!("{option} to {value}"), Reason::OutOfRange(value))
            }),
        )
    }

    /// Whether the background thread receives.
    #[must_use]
    pub fn background_receive(&self) -> bool {
        self.listener.background_receive()
    }

    /// Has the background thread receive, as [`Peer::set_background_receive`] does, for all of the server's peers.
    pub fn set_background_receive(&self, enabled: bool) -> Result<()> {
        self.listener.set_background_receive(enabled)?;
        if enabled {
            let taken = self.crowd.members().all_taken();
            for peer in taken {
                peer.note_queued();
            }
        }
        Ok(())
    }

    /// See [`Peer::option`].
    pub fn option<T>(&self, read: impl FnOnce(&Options) -> T) -> T {
        self.listener.option(read)
    }

    /// See [`Peer::set_option`].
    pub fn set_option(&self, option: SocketOption) -> Result<()> {
        self.listener.set_option(option)
    }

    /// See [`Peer::take_refusals`].
    pub fn take_refusals(&self) -> Vec<Refusal> {
        self.listener.take_refusals()
    }

    /// See [`Peer::receive_buffer_size`]. With 0 the kernel is asked for 4 MiB.
    #[must_use]
    pub fn receive_buffer_size(&self) -> usize {
        self.listener.receive_buffer_size()
    }

    /// See [`Peer::set_receive_buffer_size`].
    pub fn set_receive_buffer_size(&self, bytes: i64) -> Result<()> {
        self.listener.set_receive_buffer_size(bytes)
    }

    /// See [`Peer::send_buffer_size`].
    #[must_use]
    pub fn send_buffer_size(&self) -> usize {
        self.listener.send_buffer_size()
    }

    /// See [`Peer::set_send_buffer_size`].
    pub fn set_send_buffer_size(&self, bytes: i64) -> Result<()> {
        self.listener.set_send_buffer_size(bytes)
    }

    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        ServerStats { all: self.listener.stats(), packets_dropped_pending: self.crowd.members().dropped() }
    }

    /// How many packets were dropped that were not dropped by any peer's queue.
    #[must_use]
    pub fn drops(&self) -> u64 {
        self.listener.kernel_drops() + self.crowd.members().dropped()
    }

    /// See [`Peer::last_error`].
    #[must_use]
    pub fn last_error(&self) -> LastError {
        self.listener.last_error()
    }

    /// How many waits of its peers are in progress.
    #[must_use]
    pub fn waits(&self) -> usize {
        self.listener.all_waits()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
