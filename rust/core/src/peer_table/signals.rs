//! What a server has to signal: peers that have become pending, and accepted ones that have timed out.

use std::mem;
use std::sync::Weak;

use super::accepted::AcceptedPeer;
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
    /// The first token stays. So many peers are pending already, and count as newcomers.
    pub(super) fn set_token(&mut self, token: u64, pending: usize) {
        if self.token.is_none() {
            self.token = Some(token);
            (0..pending).for_each(|_| self.note_pending());
        }
    }

    pub(super) fn note_pending(&mut self) {
        let Some(token) = self.token else { return };
        self.connected += 1;
        if self.connected == 1 {
            pending_signals::mark(&[token]);
        }
    }

    pub(super) fn take_connected(&mut self) -> usize {
        mem::take(&mut self.connected)
    }

    pub(super) fn note_timed_out(&mut self, peers: Vec<Weak<dyn AcceptedPeer>>) {
        let Self { token: Some(token), timed_out, .. } = self else { return };
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

    pub(super) fn take_timed_out(&mut self) -> Vec<Weak<dyn AcceptedPeer>> {
        mem::take(&mut self.timed_out)
    }
}
