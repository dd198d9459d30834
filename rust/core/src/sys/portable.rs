//! [`IoMode::Portable`]: one system call per datagram, through std. Compiled and tested on every platform.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicUsize;

use super::io_mode::IoMode;
use super::types::{Message, Payloads, SLOT, SLOT_STRIDE, SLOTS, Sent};

/// See [`sys`](crate::sys).
#[derive(Debug)]
pub(crate) struct Arena {
    /// The slots. The allocator takes a zeroed block of this size from the system without touching its pages.
    memory: Vec<u8>,
    /// The length and the sender of the message in each slot.
    received: [(usize, SocketAddr); SLOTS],
    late_error: Option<io::Error>,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let unspecified = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        Self { memory: vec![0; SLOTS * SLOT_STRIDE], received: [(0, unspecified); SLOTS], late_error: None }
    }

    pub(crate) fn receive(&mut self, socket: &UdpSocket, _mode: IoMode, limit: usize) -> io::Result<usize> {
        self.late_error = None;
        let mut count = 0;
        for (slot, received) in self.memory.chunks_exact_mut(SLOT_STRIDE).zip(&mut self.received).take(limit) {
            match retry_interrupted(|| socket.recv_from(&mut slot[..SLOT])) {
                Ok(message) => *received = message,
                Err(error) if count == 0 => return Err(error),
                Err(error) => {
                    self.late_error = Some(error).filter(|error| error.kind() != io::ErrorKind::WouldBlock);
                    break;
                }
            }
            count += 1;
        }
        Ok(count)
    }

    pub(crate) fn late_error(&mut self) -> Option<io::Error> {
        self.late_error.take()
    }

    pub(crate) fn message(&self, index: usize) -> Message<'_> {
        let (length, sender) = self.received[index];
        Message { bytes: self.bytes(index), segment: length, sender, real_time: None, arrival: None }
    }

    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        let start = index * SLOT_STRIDE;
        &self.memory[start..start + self.received[index].0]
    }
}

/// See [`sys`](crate::sys). Never segments, so it ignores the limit.
pub(crate) fn send_batch(
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    payloads: &Payloads<'_>,
    from: usize,
    _mode: IoMode,
    _gso_limit: &AtomicUsize,
) -> Sent {
    let mut sent = Sent::default();
    while let Some(payload) = payloads.get(from + sent.packets) {
        let result = retry_interrupted(|| {
            sent.system_calls += 1;
            match to {
                Some(to) => socket.send_to(payload, to),
                None => socket.send(payload),
            }
        });
        if let Err(error) = result {
            sent.error = Some(error);
            break;
        }
        sent.packets += 1;
    }
    sent
}

/// Repeats a call as long as signals interrupt it.
fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
