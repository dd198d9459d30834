//! How many bytes a queue may hold, and dropping what is queued.

use super::{OverflowPolicy, Packet, PacketMeta, Queue, cost};

impl Queue {
    /// Drops all packets, overflow included, counts them as dropped and gives the memory back. This is no want of room: see
    /// [`has_dropped`](Self::has_dropped).
    #[cold]
    pub(crate) fn discard_all(&mut self) {
        while self.available > 0 || self.overflow > 0 {
            self.promote();
            self.drop_oldest();
        }
        self.clear();
    }

    /// Sets the bound in bytes; with 0 it is what the `recv_buf_size` of `bind` asks for.
    ///
    /// If more is queued, the queue drops by its policy and counts it: the oldest packets until the rest fits, or the newest
    /// ones. One packet stays, however large, since an empty queue takes any. Overflow stays behind what is left.
    pub(crate) fn set_size(&mut self, bytes: usize) {
        self.bound = if bytes == 0 { self.default_bound } else { bytes };
        if self.used <= self.bound || self.available <= 1 {
            return;
        }
        self.has_dropped = true;
        match self.policy {
            OverflowPolicy::DropOldest => {
                while self.used > self.bound && self.available > 1 {
                    self.drop_oldest();
                }
            }
            OverflowPolicy::DropNewest => self.drop_newest(),
        }
    }

    /// Drops the newest packets that exceed the bound. Copies those that stay, so it is for rare calls.
    #[cold]
    fn drop_newest(&mut self) {
        let Self { bound, counts, before_reset, counted_before, summed_before, dropped_from_before, .. } = *self;
        let (available, overflow) = (self.available, self.overflow);
        let mut packets = Vec::new();
        // All of the overflow becomes available, behind the others.
        self.bound = usize::MAX;
        self.promote();
        while let Some(packet) = self.pop() {
            packets.push(packet);
        }
        self.clear();
        self.bound = bound;
        let rest = packets.split_off(packets.len() - overflow as usize);
        debug_assert_eq!(packets.len(), available as usize, "the overflow is behind the available packets");
        let mut used = 0;
        let fits = |(packet, _): &&(Packet, PacketMeta)| {
            used += cost(packet.len());
            used <= bound
        };
        let kept = packets.iter().take_while(fits).count().max(1);
        for (packet, meta) in packets.iter().take(kept) {
            let before = self.available;
            self.push_or_overflow(packet, *meta);
            // Without memory, those that follow are dropped too.
            if self.available == before {
                break;
            }
        }
        let kept = self.available as usize;
        (self.counts, self.before_reset, self.dropped_from_before) = (counts, before_reset, dropped_from_before);
        for (index, (packet, _)) in packets.iter().enumerate().skip(kept) {
            if index < summed_before as usize {
                self.dropped_from_before.add(packet.len());
            }
            if index < counted_before as usize {
                self.discard_from_before(1, packet.len());
            } else {
                self.counts.discard(1, packet.len());
            }
        }
        self.counted_before = counted_before.min(self.available);
        self.summed_before = summed_before.min(self.available);
        for (packet, meta) in rest {
            self.push_or_overflow(&packet, meta);
        }
    }

    /// Whether the queue has dropped a packet for want of room since [`forget_drops`](Self::forget_drops).
    pub(crate) fn has_dropped(&self) -> bool {
        self.has_dropped
    }

    pub(crate) fn forget_drops(&mut self) {
        self.has_dropped = false;
    }

    /// When the packet arrived that will be taken next, in microseconds.
    pub(crate) fn front_arrival(&self) -> Option<u64> {
        let header = self.chunks.front().unwrap_or(&self.last).next()?;
        (self.available > 0).then(|| header.time_after(self.front_time))
    }
}
