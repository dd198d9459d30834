//! One system call per datagram, by std: works on every platform, and is tested on every platform.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use super::{Message, Path, Payloads, SLOT, SLOT_STRIDE, SLOTS, Sent};

/// See the module [`sys`](super).
#[derive(Debug)]
pub(crate) struct Arena {
    /// The slots. Zeroed memory comes from the system untouched.
    memory: Vec<u8>,
    received: [(usize, SocketAddr); SLOTS],
    late_error: Option<io::Error>,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let nobody = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        Self { memory: vec![0; SLOTS * SLOT_STRIDE], received: [(0, nobody); SLOTS], late_error: None }
    }

    pub(crate) fn receive(&mut self, socket: &UdpSocket, _path: Path, limit: usize) -> io::Result<usize> {
        self.late_error = None;
        let mut count = 0;
        for (slot, received) in self.memory.chunks_exact_mut(SLOT_STRIDE).zip(&mut self.received).take(limit) {
            match uninterrupted(|| socket.recv_from(&mut slot[..SLOT])) {
                Ok(one) => *received = one,
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

/// See the module [`sys`](super).
pub(crate) fn send_batch(
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    payloads: &Payloads<'_>,
    from: usize,
    _path: Path,
) -> Sent {
    let mut sent = Sent::default();
    while let Some(payload) = payloads.get(from + sent.packets) {
        let result = uninterrupted(|| {
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

/// Calls until no signal has come in between.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
