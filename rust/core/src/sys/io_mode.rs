//! How datagrams pass between a socket and the kernel.

use std::env;
use std::sync::LazyLock;

/// How datagrams pass between a socket and the kernel. Each mode includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IoMode {
    /// One system call per datagram; available on every platform.
    Portable,
    /// Many datagrams per system call (Linux, Android: `recvmmsg`, `sendmmsg`).
    Batch,
    /// The kernel also joins and segments datagrams of one size (Linux, Android: `UDP_GRO`, `UDP_SEGMENT`).
    Offload,
}

/// The environment variable that limits the mode of all sockets: `portable`, `batch` or `offload`. It serves to test each
/// mode and to work around a broken one.
pub const IO_MODE_VARIABLE: &str = "PACKET_PEER_UDP_RS_PATH";

/// The best mode that [`IO_MODE_VARIABLE`] allows; every mode if the variable is not set. The variable is read once per
/// process.
///
/// # Errors
///
/// The value of the variable, if it names no mode. It then has no effect.
pub fn io_mode_limit() -> Result<IoMode, &'static str> {
    static LIMIT: LazyLock<Result<IoMode, String>> = LazyLock::new(|| {
        let Some(name) = env::var_os(IO_MODE_VARIABLE) else { return Ok(IoMode::Offload) };
        match name.to_str() {
            Some("portable") => Ok(IoMode::Portable),
            Some("batch") => Ok(IoMode::Batch),
            Some("offload") => Ok(IoMode::Offload),
            _ => Err(name.to_string_lossy().into_owned()),
        }
    });
    LIMIT.as_ref().copied().map_err(String::as_str)
}
