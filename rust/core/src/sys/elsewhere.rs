//! Neither Linux nor Android: nothing better than one system call per datagram.

use std::net::UdpSocket;
use std::sync::OnceLock;
use std::time::Instant;

use super::Path;

pub(crate) use super::portable::{Arena, send_batch};

pub(crate) const BEST_PATH: Path = Path::Portable;

/// Nothing to prepare.
pub(crate) fn prepare_path(_socket: &UdpSocket, _wanted: Path) -> Path {
    Path::Portable
}

/// It does so by itself.
pub(crate) fn hear_own_groups_only(_socket: &UdpSocket) {}

/// Not told.
pub(crate) fn kernel_drops(_socket: &UdpSocket) -> u64 {
    0
}

/// Counts what std's clock counts, as the engine does on Windows (the performance counter) and macOS (the time awake).
pub(crate) fn ticks_nsec() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}
