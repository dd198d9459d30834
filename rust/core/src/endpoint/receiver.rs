//! The receiving side of an endpoint. The thread that holds it, under its lock, is the one that reads the socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::address;
use crate::arrivals::RecentArrivals;
use crate::clock::Clocks;
use crate::diagnostics::Diagnostics;
use crate::queue::PacketMeta;
use crate::sink::Received;
use crate::socket::Socket;
use crate::socket::group::Memberships;
use crate::sys::{self, Arena, Arrival, IoMode, Message};

/// How large a message is taken to be before any has come.
const LIKELY_SIZE: usize = 2_048;

/// Serialises socket reads, so that packets are queued in the order of arrival.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// `None` once the endpoint is closed.
    pub(crate) socket: Option<Arc<Socket>>,
    /// The one address to receive from, if the socket is connected.
    pub(crate) connected_to: Option<SocketAddr>,
    pub(crate) memberships: Memberships,
    /// The kernel's receive buffer, in bytes, in the system's own figure.
    pub(crate) kernel_buffer: usize,
    /// The largest message of the last batch.
    largest: usize,
    /// When the last packet arrived, in microseconds as [`PacketMeta::time_usec`].
    latest: u64,
    arrivals: RecentArrivals,
    /// The system's code of the error in which the last read has ended. One that comes again at every read is kept once.
    failing: Option<i32>,
}

/// The messages of one read.
pub(crate) struct Messages<'a> {
    pub(crate) accepted: ArrayVec<Received<'a>, { sys::SLOTS }>,
    /// The sizes of all messages of the read, also of those that were not for this socket.
    pub(crate) sizes: ArrayVec<usize, { sys::SLOTS }>,
    /// Whether there may be more.
    pub(crate) more: bool,
    /// Whether there was an error and nothing else.
    pub(crate) has_failed: bool,
}

impl Receiver {
    pub(crate) fn new(socket: Arc<Socket>, kernel_buffer: usize) -> Self {
        Self {
            socket: Some(socket),
            connected_to: None,
            memberships: Memberships::default(),
            kernel_buffer,
            largest: LIKELY_SIZE,
            latest: 0,
            arrivals: RecentArrivals::default(),
            failing: None,
        }
    }

    /// How many messages to ask for, so that they fit into `room` bytes if they are no larger than those of the last batch.
    pub(crate) fn limit(&self, room: usize) -> usize {
        (room / self.largest).clamp(1, sys::SLOTS)
    }

    /// When the last packet arrived.
    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    /// Whether receiving would give a message. An error that the socket reports is returned once.
    pub(crate) fn is_readable(&self, diagnostics: &Diagnostics) -> io::Result<bool> {
        let Some(socket) = &self.socket else { return Ok(false) };
        diagnostics.count_receive_system_calls(1);
        sys::is_readable(socket.io())
    }

    /// Whether nothing has arrived that was not received; `None` once the socket is closed. An error is recorded, and there may be
    /// packets behind it.
    pub(crate) fn is_empty(&self, diagnostics: &Diagnostics) -> Option<bool> {
        let socket = self.socket.as_ref()?;
        diagnostics.count_receive_system_calls(1);
        let is_empty = sys::is_empty(socket.io());
        Some(is_empty.unwrap_or_else(|error| {
            diagnostics.record_receive_errors(1, error);
            false
        }))
    }

    /// Receives up to `limit` messages, never blocks. Errors are recorded.
    pub(crate) fn receive<'a>(
        &mut self,
        arena: &'a mut Arena,
        limit: usize,
        diagnostics: &Diagnostics,
    ) -> Messages<'a> {
        let Some(socket) = self.socket.clone() else {
            return Messages { accepted: ArrayVec::new(), sizes: ArrayVec::new(), more: false, has_failed: false };
        };
        let result = arena.receive(socket.io(), socket.io_mode(), limit, socket.is_told_arrivals());
        let count = result.as_ref().copied().unwrap_or(0);
        // The portable mode makes one call for each message, and one more to find that there is none.
        let is_portable = socket.io_mode() == IoMode::Portable;
        diagnostics.count_receive_system_calls(if is_portable { count + usize::from(count < limit) } else { 1 });
        let error = match result {
            Ok(_) => arena.late_error(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(error),
        };
        let more = count == limit || error.is_some();
        let has_failed = count == 0 && error.is_some();
        if !has_failed {
            self.failing = None;
        }
        if let Some(error) = error {
            self.note_error(error, diagnostics);
        }
        let mut messages = Messages { accepted: ArrayVec::new(), sizes: ArrayVec::new(), more, has_failed };
        self.largest = LIKELY_SIZE;
        if count == 0 {
            return messages;
        }
        let clocks = Clocks::now();
        let is_told_arrivals = socket.is_told_arrivals();
        for slot in 0..count {
            let message = arena.message(slot);
            self.largest = self.largest.max(message.bytes.len());
            messages.sizes.push(message.bytes.len());
            let arrival = if is_told_arrivals { arena.arrival(slot) } else { None };
            if let Some(mut meta) = self.meta(&message, arrival.as_ref(), &clocks) {
                if let Some(arrival) = arrival.filter(|_| socket.keeps_arrivals()) {
                    meta = meta.with_arrival(self.arrivals.id_of(&arrival));
                }
                messages.accepted.push(Received { bytes: message.bytes, meta, slot });
            }
        }
        messages
    }

    /// Counts an error, and keeps it unless the read before has ended in the same one.
    pub(crate) fn note_error(&mut self, error: io::Error, diagnostics: &Diagnostics) {
        let code = error.raw_os_error();
        if self.failing.is_some() && self.failing == code {
            diagnostics.count_receive_error();
        } else {
            diagnostics.record_receive_errors(1, error);
        }
        self.failing = code;
    }

    /// Of the first datagram of a message; `None` if the message is not from the address that the socket is connected to, or was
    /// sent to a group that the socket has not joined.
    fn meta(&mut self, message: &Message<'_>, arrival: Option<&Arrival>, clocks: &Clocks) -> Option<PacketMeta> {
        let sender = address::to_canonical(message.sender);
        // The kernel filters by sender too, but only what arrives after the socket was connected.
        let is_expected = self.connected_to.is_none_or(|peer| address::is_same_host_and_port(sender, peer));
        // The clocks are compared again for each batch, with an error of about a microsecond; times must not run backwards.
        self.latest = self.latest.max(clocks.time_of(message.real_time));
        (is_expected && self.memberships.include(arrival))
            .then(|| PacketMeta::new(message.segment, sender, self.latest))
    }
}
