//! Link conditions: loss, delay, bandwidth and the like, applied to the packets of one direction of a link.
//!
//! | module | what it has |
//! |---|---|
//! | [`conditions`] | what a user sets, shared with all lines that it applies to |
//! | [`draws`] | the random numbers of a packet |
//! | [`line`](mod@line) | what happens to a packet, and when it comes out: no clock and no memory of payloads |
//! | [`store`] | the packets that are held back, by the time at which they are due |
//! | [`lane`] | a line with its conditions, its limit and its counters |
//! | [`counts`] | the counters |
//! | [`incoming`] | the decorator of a [`Sink`](crate::sink::Sink): what is received |
//! | [`outgoing`] | what is sent, by a [`Route`](crate::route::Route) |
//!
//! All times are nanoseconds on the clock of packets' times, see [`clock::now_nsec`](crate::clock::now_nsec).

pub(crate) mod conditions;
pub(crate) mod counts;
pub(crate) mod draws;
pub(crate) mod incoming;
pub(crate) mod lane;
pub(crate) mod line;
pub(crate) mod outgoing;
pub(crate) mod store;
#[cfg(test)]
mod tests;
