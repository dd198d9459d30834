//! [`IoMode::Portable`]: one system call per datagram. Compiled and tested on every platform.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicUsize;

use super::io_mode::IoMode;
use super::socket_backend::{receive_one, send_from};
use super::types::{Arrival, Message, Payloads, ReceivedOne, SLOT, SLOT_STRIDE, SLOTS, Sent, Source, Target};

const UNSPECIFIED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// See [`sys`](crate::sys).
#[derive(Debug)]
pub(crate) struct Arena {
    /// The slots. The allocator takes a zeroed block of this size from the system without touching its pages.
    memory: Vec<u8>,
    /// The message in each slot.
    received: [ReceivedOne; SLOTS],
    late_error: Option<io::Error>,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let received =
            [const { ReceivedOne { length: 0, sender: UNSPECIFIED, real_time: None, arrival: None } }; SLOTS];
        Self { memory: vec![0; SLOTS * SLOT_STRIDE], received, late_error: None }
    }

    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        _mode: IoMode,
        limit: usize,
        with_arrival: bool,
    ) -> io::Result<usize> {
        self.late_error = None;
        let mut count = 0;
        for (slot, received) in self.memory.chunks_exact_mut(SLOT_STRIDE).zip(&mut self.received).take(limit) {
            match retry_interrupted(|| receive_one(socket, &mut slot[..SLOT], with_arrival)) {
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
        let ReceivedOne { length, sender, real_time, .. } = self.received[index];
        Message { bytes: self.bytes(index), segment: length, sender, real_time }
    }

    pub(crate) fn arrival(&self, index: usize) -> Option<Arrival> {
        self.received[index].arrival
    }

    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        let start = index * SLOT_STRIDE;
        &self.memory[start..start + self.received[index].length]
    }
}

/// See [`sys`](crate::sys). Never segments, so it ignores the limit.
pub(crate) fn send_batch(
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    payloads: &Payloads<'_>,
    from: usize,
    source: Option<Source>,
    _mode: IoMode,
    _gso_limit: &AtomicUsize,
) -> Sent {
    let mut sent = Sent::default();
    while let Some(payload) = payloads.get(from + sent.packets) {
        let result = retry_interrupted(|| {
            sent.system_calls += 1;
            match to {
                Some(to) => send_one(socket, payload, to, source),
                None => socket.send(payload).map(drop),
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

/// See [`sys`](crate::sys).
pub(crate) fn send_to_each(socket: &UdpSocket, datagram: &[u8], targets: &[Target], _mode: IoMode) -> Sent {
    let mut sent = Sent::default();
    for Target { to, source } in targets {
        let result = retry_interrupted(|| {
            sent.system_calls += 1;
            send_one(socket, datagram, *to, *source)
        });
        if let Err(error) = result {
            sent.error = Some(error);
            break;
        }
        sent.packets += 1;
    }
    sent
}

fn send_one(socket: &UdpSocket, datagram: &[u8], to: SocketAddr, source: Option<Source>) -> io::Result<()> {
    match source {
        Some(source) => send_from(socket, datagram, to, source),
        None => socket.send_to(datagram, to).map(drop),
    }
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
