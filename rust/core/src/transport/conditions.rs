//! Link conditions: what is set, and what it is set on.

use std::sync::Arc;

use super::SocketState;
use crate::diagnostics::Diagnostics;
use crate::link::conditions::SharedConditions;
use crate::link::draws::{Direction, LineId};
use crate::link::outgoing::Outgoing;

impl SocketState {
    /// Sets the conditions of what a peer sends, and begins a new line. Without any, what is held back is sent at once. `diagnostics`
    /// are the peer's.
    pub(crate) fn set_send_conditions(
        &mut self,
        conditions: Option<Arc<SharedConditions>>,
        diagnostics: &Arc<Diagnostics>,
    ) {
        self.conditions.send.clone_from(&conditions);
        match (&self.outgoing, conditions) {
            (Some(outgoing), conditions) => outgoing.set_conditions(conditions),
            (None, Some(conditions)) => {
                let number = self.transport.link().map_or(0, |link| link.id);
                let id = LineId { direction: Direction::Out, number };
                self.outgoing = Some(Outgoing::new(conditions, id, Arc::clone(diagnostics)));
                self.limit_outgoing();
                self.attach_outgoing();
            }
            (None, None) => {}
        }
    }

    /// Has what is held back sent by the socket that is in use now, and begins a new line.
    pub(super) fn attach_outgoing(&self) {
        if let (Some(outgoing), Some((endpoint, _))) = (&self.outgoing, self.transport.endpoint()) {
            outgoing.attach(endpoint, self.transport.link().is_some());
        }
    }

    /// Applies the size of the queue, which is also the most that is held back.
    pub(crate) fn limit_outgoing(&self) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.set_limit(self.with_options(|options| options.queue_size));
        }
    }

    /// Drops what is held back of what was sent.
    pub(crate) fn discard_outgoing(&self) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.discard();
        }
    }
}
