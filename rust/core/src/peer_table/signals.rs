//! What a server has to signal: peers that have become pending, and accepted ones that have timed out.

use std::mem;
use std::sync::Weak;

use super::{AcceptedPeer, Entries};
use crate::pending_signals;

/// Nothing is recorded before there is a token.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// What [`pending_signals`] calls the server.
    token: Option<u64>,
    /// How many peers have become pending since this was last taken.
    connected: usize,
    timed_out: Vec<Weak<dyn AcceptedPeer>>,
}

impl Signals {
    pub(super) fn note_pending(&mut self) {
        let Some(token) = self.token else { return };
        self.connected += 1;
        if self.connected == 1 {
            pending_signals::mark(&[token]);
        }
    }
}

impl Entries {
    /// Lets the server be marked in [`pending_signals`] by this token. The first one stays. Peers that are pending already count as
    /// newcomers.
    pub(crate) fn set_token(&mut self, token: u64) {
        if self.signals.token.is_none() {
            self.signals.token = Some(token);
            (0..self.pending.len()).for_each(|_| self.signals.note_pending());
        }
    }

    /// How many peers have become pending since this was last called, and are still.
    pub(crate) fn take_connected(&mut self) -> usize {
        mem::take(&mut self.signals.connected).min(self.pending.len())
    }

    /// Records peers that have timed out and are closed.
    pub(crate) fn note_timed_out(&mut self, peers: Vec<Weak<dyn AcceptedPeer>>) {
        let Signals { token: Some(token), timed_out, .. } = &mut self.signals else { return };
        if peers.is_empty() {
            return;
        }
        if timed_out.is_empty() {
            pending_signals::mark(&[*token]);
        }
        // If nobody asks, what is kept is bounded by the peers that exist.
        if timed_out.len() + peers.len() > timed_out.capacity() {
            timed_out.retain(|peer| peer.strong_count() > 0);
        }
        timed_out.extend(peers);
    }

    /// The peers that have timed out since this was last called.
    pub(crate) fn take_timed_out(&mut self) -> Vec<Weak<dyn AcceptedPeer>> {
        mem::take(&mut self.signals.timed_out)
    }
}
