//! What datagrams are sent by, and what becomes of those that the kernel refuses.

use std::io;
use std::net::SocketAddr;

use arrayvec::ArrayVec;

use crate::address;
use crate::diagnostics::Diagnostics;
use crate::error::{Error, Operation, Reason, Result};
use crate::inbox::Inbox;
use crate::queue::MAX_DATAGRAM;
use crate::sink::Received;
use crate::socket::{Socket, options};
use crate::sys::{self, Cause, Payloads, Source};

/// How often a send on a connected socket is tried, as long as the errors may be reports about earlier datagrams.
const SEND_ATTEMPTS: u64 = 4;

/// What a peer sends by.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) socket: &'a Socket,
    pub(crate) connected_to: Option<SocketAddr>,
    /// What datagrams leave from, where they are not sent to `connected_to`.
    pub(crate) origin: Origin<'a>,
    /// Where the socket is a server's: counts what its peers send.
    pub(crate) server: Option<&'a Diagnostics>,
}

/// Who decides what a datagram leaves from.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    System,
    /// [`SocketOption::SourceAddress`](crate::SocketOption::SourceAddress).
    Chosen(&'a Source),
    /// A copy of a broadcast, by the interface that it is for.
    Interface(&'a Source),
    /// The client of a server's peer, by where it has sent to.
    Asked(&'a Inbox),
    /// The same, as it was when the datagram was held back.
    AskedBefore(&'a Source),
}

/// Errors of a connected socket that may be reports about earlier datagrams.
#[derive(Default)]
struct Reports {
    count: u64,
    last: Option<io::Error>,
}

impl Route<'_> {
    /// What a datagram leaves from; `None`: the system decides.
    pub(crate) fn source(&self) -> Option<Source> {
        match self.origin {
            Origin::System => None,
            Origin::Chosen(source) | Origin::Interface(source) | Origin::AskedBefore(source) => Some(*source),
            Origin::Asked(inbox) => inbox.answer_from(),
        }
    }

    /// Whether a send that failed with `error` is to be repeated without the source: this machine may have lost the address that the
    /// client has sent to. An address that a script has chosen is not replaced by another.
    fn may_drop_source(&self, error: &io::Error) -> bool {
        matches!(self.origin, Origin::Asked(_) | Origin::AskedBefore(_)) && sys::is_source_gone(error)
    }

    /// Whether the kernel may take a datagram of so many bytes to `to`: otherwise it refuses at once.
    pub(crate) fn may_carry(&self, to: SocketAddr, length: usize) -> bool {
        let max = if to.ip().to_canonical().is_ipv4() { sys::MAX_PAYLOAD_IPV4 } else { MAX_DATAGRAM };
        length <= max && to.port() != 0 && self.socket.family().reaches(to.ip()) && !address::lacks_scope(to)
    }

    /// Sends a datagram. An error is the caller's to record.
    pub(crate) fn send_one(&self, diagnostics: &Diagnostics, to: SocketAddr, datagram: &[u8]) -> Result<()> {
        let result = match (self.connected_to, self.origin) {
            (Some(to), _) => self.send_connected(diagnostics, to, datagram),
            (None, Origin::System) => self.socket.send_to(datagram, to),
            (None, _) => self.send_from(diagnostics, to, datagram),
        };
        let server = self.server;
        if let Err(error) = result {
            diagnostics.count_vain_send();
            if let Some(server) = server {
                server.count_vain_send();
                server.count_send_error();
            }
            return Err(refused(self, to, error));
        }
        diagnostics.count_single_send(datagram.len());
        if let Some(server) = server {
            server.count_single_send(datagram.len());
        }
        Ok(())
    }

    #[inline(never)]
    fn send_from(&self, diagnostics: &Diagnostics, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let Some(source) = self.source() else { return self.socket.send_to(datagram, to) };
        match self.socket.send_from(datagram, to, source) {
            Err(error) if self.may_drop_source(&error) => {
                diagnostics.count_vain_send();
                if let Some(server) = self.server {
                    server.count_vain_send();
                }
                self.socket.send_to(datagram, to)
            }
            result => result,
        }
    }

    /// Sends on a socket that is connected to `to`. There the kernel reports that an *earlier* datagram was refused (ICMP) instead
    /// of sending this one, each report once. A report counts as a receive error, and this datagram is sent again. An error that
    /// no report causes, or that comes at every attempt, is about this datagram.
    fn send_connected(&self, diagnostics: &Diagnostics, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let mut reports = Reports::default();
        loop {
            match self.socket.send(datagram) {
                Err(error) if reports.may_be_one(&error, to, datagram.len()) => {
                    diagnostics.count_vain_send();
                    reports.add(error);
                }
                Err(error) if !sys::is_full(&error) => return Err(error),
                result => {
                    reports.record(diagnostics);
                    return result;
                }
            }
        }
    }

    /// Sends datagrams in order; how many the kernel took. An error is recorded.
    pub(crate) fn send_all(&self, diagnostics: &Diagnostics, to: SocketAddr, payloads: &Payloads<'_>) -> usize {
        let (sent, error) = self.try_all(diagnostics, to, payloads);
        if let Some(error) = error {
            self.record_refused(diagnostics, error, sent, payloads.len());
        }
        sent
    }

    /// Counts and keeps the error of the datagram at `index` of `count`.
    pub(crate) fn record_refused(&self, diagnostics: &Diagnostics, mut error: Error, index: usize, count: usize) {
        // As scripts count: the first one has index 0.
        error.subject = format!("{} (the packet at index {index} of {count})", error.subject);
        let _ = diagnostics.recorded_send::<()>(Err(error));
        if let Some(server) = self.server {
            server.count_send_error();
        }
    }

    /// Sends datagrams in order, until the kernel refuses one; how many it took. The error is the caller's to record.
    pub(crate) fn try_all(
        &self,
        diagnostics: &Diagnostics,
        to: SocketAddr,
        payloads: &Payloads<'_>,
    ) -> (usize, Option<Error>) {
        let connected = self.connected_to;
        let mut system_calls = 0;
        let mut sent = 0;
        let mut source = self.source();
        let mut reports = Reports::default();
        let refusal = loop {
            let outcome = self.socket.send_batch(connected.is_none().then_some(to), payloads, sent, source);
            if outcome.packets > 0 {
                reports.record(diagnostics);
            }
            sent += outcome.packets;
            system_calls += outcome.system_calls;
            match outcome.error {
                None => break None,
                Some(error) if source.is_some() && self.may_drop_source(&error) => source = None,
                Some(error)
                    if connected.is_some_and(|to| reports.may_be_one(&error, to, length_at(payloads, sent))) =>
                {
                    reports.add(error);
                }
                Some(error) => break Some(refused(self, connected.unwrap_or(to), error)),
            }
        };
        let bytes = payloads.bytes(sent);
        diagnostics.count_batch_send(sent, bytes, system_calls);
        if let Some(server) = self.server {
            server.count_batch_send(sent, bytes, system_calls);
        }
        (sent, refusal)
    }

    /// Sends the datagrams of messages in order. Those that the kernel refuses are dropped: each counts as a send error.
    pub(crate) fn forward(&self, diagnostics: &Diagnostics, to: SocketAddr, messages: &[Received<'_>]) {
        for run in messages.chunk_by(|one, next| !one.is_coalesced() && !next.is_coalesced()) {
            match run {
                [one] if one.is_coalesced() => {
                    let payloads = Payloads::Segmented { data: one.bytes, segment: one.meta.length() };
                    self.send_or_drop(diagnostics, to, payloads);
                }
                _ => {
                    for run in run.chunks(sys::SLOTS) {
                        let each: ArrayVec<&[u8], { sys::SLOTS }> = run.iter().map(|message| message.bytes).collect();
                        self.send_or_drop(diagnostics, to, Payloads::Each(&each));
                    }
                }
            }
        }
    }

    /// Sends datagrams in order. One that the kernel refuses is dropped; where it has no room, so are all that follow, as by a router
    /// whose queue is full.
    pub(crate) fn send_or_drop(&self, diagnostics: &Diagnostics, to: SocketAddr, mut payloads: Payloads<'_>) {
        if let (1, Some(datagram)) = (payloads.len(), payloads.get(0)) {
            if let Err(error) = self.send_one(diagnostics, to, datagram) {
                diagnostics.record_dropped(&error, 1);
            }
            return;
        }
        while payloads.len() > 0 {
            let (sent, error) = self.try_all(diagnostics, to, &payloads);
            let Some(error) = error else { return };
            let is_full = matches!(error.reason, Reason::Busy(_));
            let dropped = if is_full { payloads.len() - sent } else { 1 };
            diagnostics.record_dropped(&error, dropped);
            payloads = payloads.after(sent + dropped);
        }
    }
}

impl Reports {
    /// A datagram was sent, or refused for want of room: so the reports were about earlier datagrams.
    fn record(&mut self, diagnostics: &Diagnostics) {
        if let Some(last) = self.last.take() {
            diagnostics.record_receive_errors(self.count, last);
            self.count = 0;
        }
    }

    /// Whether the error of a send of `length` bytes may be a report, so that the datagram is to be sent again.
    fn may_be_one(&self, error: &io::Error, to: SocketAddr, length: usize) -> bool {
        self.count + 1 < SEND_ATTEMPTS && sys::may_be_report(error, to, length)
    }

    fn add(&mut self, error: io::Error) {
        self.count += 1;
        self.last = Some(error);
    }
}

fn length_at(payloads: &Payloads<'_>, index: usize) -> usize {
    payloads.get(index).map_or(0, <[u8]>::len)
}

fn refused(route: &Route<'_>, to: SocketAddr, error: io::Error) -> Error {
    let reason = route.socket.refusal(to, error);
    let (Origin::Chosen(source), None, Reason::Os(error)) = (route.origin, route.connected_to, &reason) else {
        return Error::new(Operation::Send, address::describe(to), reason);
    };
    let ip = source.ip.map_or(String::new(), |ip| format!(" from {ip}"));
    let subject = format!("{}{ip}", address::describe(to));
    if sys::is_source_gone(error) && matches!(options::check_source(*source), Err(Reason::NoSuchAddress)) {
        return Error::new(Operation::Send, subject, Reason::NoSuchAddress);
    }
    match reason {
        Reason::Os(error) if sys::cause(&error) == Cause::Invalid => {
            Error::new(Operation::Send, subject, Reason::BadSource(error))
        }
        reason => Error::new(Operation::Send, address::describe(to), reason),
    }
}
