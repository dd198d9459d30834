//! What the registered members do, beyond a line: each function here is the member of the same name.
//!
//! | module | members about |
//! |---|---|
//! | [`opening`] | binding and listening; the local address |
//! | [`destination`] | where packets are sent to: connecting, setting the destination, looking names up |
//! | [`sending`] | sending packets |
//! | [`receiving`] | taking packets, and what is known of them |
//! | [`waiting`] | blocking until there is a packet |
//! | [`connections`] | a server's peers |
//! | [`groups`] | multicast groups and broadcasts |
//! | [`options`] | properties |
//! | [`links`] | the link conditions that peers and servers have |
//! | [`link_conditions`] | the properties of link conditions |
//! | [`relaying`] | a relay |
//! | [`outcome`] | how a call ends: the script's value, and a line in the log |

pub(crate) mod connections;
pub(crate) mod destination;
pub(crate) mod groups;
pub(crate) mod link_conditions;
pub(crate) mod links;
pub(crate) mod opening;
pub(crate) mod options;
mod outcome;
pub(crate) mod receiving;
pub(crate) mod relaying;
pub(crate) mod sending;
pub(crate) mod waiting;
