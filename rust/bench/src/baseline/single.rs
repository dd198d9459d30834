//! One system call per packet, on any platform. The overhead of std is below what this program can resolve.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use packet_peer_udp_bench::{BURST, Benchmark, Row};

use crate::{pair, receive_all};

/// `sendto` and `recvfrom`.
pub(crate) struct OneByOne {
    sender: UdpSocket,
    receiver: UdpSocket,
    to: SocketAddr,
    payload: Vec<u8>,
    buffer: Vec<u8>,
    rows: [Row; 2],
}

impl OneByOne {
    /// Packets of `size` bytes.
    pub(crate) fn new(size: usize) -> io::Result<Self> {
        let (sender, receiver) = pair()?;
        Ok(Self {
            to: receiver.local_addr()?,
            sender,
            receiver,
            payload: vec![7; size],
            buffer: vec![0; 65_536],
            rows: [Row::new("send_one", size), Row::new("receive_one", size)],
        })
    }
}

impl Benchmark for OneByOne {
    fn round(&mut self) -> io::Result<()> {
        let start = Instant::now();
        for _ in 0..BURST {
            self.sender.send_to(&self.payload, self.to)?;
        }
        let sent = Instant::now();
        receive_all(BURST * self.payload.len(), || Ok(self.receiver.recv_from(&mut self.buffer)?.0))?;
        let received = sent.elapsed();
        self.rows[0].add(sent - start, BURST);
        self.rows[1].add(received, BURST);
        Ok(())
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}
