//! Sending one datagram to many peers with few system calls.

use std::ops::Range;

use super::{Inner, Server};
use crate::address;
use crate::error::{Error, Operation, Reason, Result};
use crate::peer::Peer;
use crate::socket::Socket;
use crate::sys::{self, Sent, Target};

impl Server {
    /// Sends a copy of a datagram to each of these peers, in order; how many copies the kernel took. Never blocks.
    ///
    /// If one of them is no open peer of this server, nothing is sent: [`Reason::NotOfServer`] with its index. A copy that the system
    /// refuses because of its address counts as a send error of that peer and of the server, [`last_error`](Self::last_error) says
    /// why, and the others are sent all the same. When the kernel's send buffer is full, the rest is not sent.
    pub fn send_to_peers(&self, peers: &[&Peer], datagram: &[u8]) -> Result<usize> {
        self.0.diagnostics.recorded_send(self.0.send_to_peers(peers, datagram))
    }
}

impl Inner {
    fn send_to_peers(&self, peers: &[&Peer], datagram: &[u8]) -> Result<usize> {
        let fail = |reason| Error::new(Operation::Send, "", reason);
        let endpoint = self.endpoint().ok_or_else(|| fail(Reason::NotOpen))?;
        let target =
            |(index, peer): (usize, &&Peer)| peer.target_by(&endpoint).ok_or_else(|| fail(Reason::NotOfServer(index)));
        let mut targets = Vec::new();
        targets.try_reserve_exact(peers.len()).map_err(|_| fail(Reason::OutOfMemory))?;
        for peer in peers.iter().enumerate().map(target) {
            targets.push(peer?);
        }
        let mut taken = 0;
        let mut first = 0;
        // Peers with link conditions take a way of their own.
        for run in peers.chunk_by(|one, next| !one.is_delayed() && !next.is_delayed()) {
            let end = first + run.len();
            if let [peer] = run
                && peer.is_delayed()
            {
                taken += usize::from(self.diagnostics.recorded(peer.send_by(&endpoint, datagram)).is_ok());
            } else {
                let send = |socket: &Socket| self.send_to_each(socket, peers, first..end, &targets, datagram);
                let (copies, is_full) = endpoint.with_socket(send).ok_or_else(|| fail(Reason::NotOpen))?;
                taken += copies;
                if is_full {
                    break;
                }
            }
            first = end;
        }
        Ok(taken)
    }

    /// Sends to the peers of a range; how many copies the kernel took, and whether it has no room for the next one.
    fn send_to_each(
        &self,
        socket: &Socket,
        peers: &[&Peer],
        range: Range<usize>,
        targets: &[Target],
        datagram: &[u8],
    ) -> (usize, bool) {
        let mut taken = 0;
        let mut next = range.start;
        while let Some(rest) = targets.get(next..range.end).filter(|rest| !rest.is_empty()) {
            let Sent { packets, system_calls, mut error } = socket.send_to_each(datagram, rest);
            self.count(peers.get(next..next + packets).unwrap_or_default(), datagram, system_calls);
            taken += packets;
            next += packets;
            let (Some(peer), Some(target)) = (peers.get(next), targets.get(next).filter(|_| next < range.end)) else {
                break;
            };
            if target.source.is_some() && error.as_ref().is_some_and(sys::is_source_gone) {
                // The machine may have lost the address.
                error = socket.send_to(datagram, target.to).err();
                let system_calls = 1;
                self.count(if error.is_none() { std::slice::from_ref(peer) } else { &[] }, datagram, system_calls);
                taken += usize::from(error.is_none());
            }
            if let Some(error) = error {
                let subject = format!("{} (the peer at index {next} of {})", address::describe(target.to), peers.len());
                let error = Error::new(Operation::Send, subject, socket.refusal(target.to, error));
                peer.count_refused_send(&error);
                let is_full = matches!(error.reason, Reason::Busy(_));
                let _ = self.diagnostics.recorded_send::<()>(Err(error));
                if is_full {
                    return (taken, true);
                }
            }
            next += 1;
        }
        (taken, false)
    }

    /// Counts what was sent to these peers.
    fn count(&self, peers: &[&Peer], datagram: &[u8], system_calls: u64) {
        for peer in peers {
            peer.count_shared_send(datagram.len());
        }
        self.diagnostics.count_batch_send(peers.len(), peers.len() * datagram.len(), system_calls);
    }
}
