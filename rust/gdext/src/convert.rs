//! Between scripts and the core: the core's errors and figures as scripts get them, and scripts' integers and texts as the
//! types that the core takes.
//!
//! An integer that is out of range becomes the [`Error`] that is about it. The caller hands that to the peer's `fail`, so
//! that `get_last_error_message()` tells it.

use std::num::{NonZeroU8, NonZeroU16, NonZeroUsize};
use std::ops::Deref;
use std::str;
use std::time::Duration;

use godot::builtin::GString;
use godot::global::Error as GodotError;
use godot::prelude::{VarDictionary, vdict};
use packet_peer_udp_core::{Error, Jitter, MAX_PAYLOAD_IPV4, Operation, OverflowPolicy, Reason, Result, Stats};

/// The `Error` that a script gets: what `PacketPeerUDP` returns in the same situation.
pub(crate) fn to_godot_error(error: &Error) -> GodotError {
    match (&error.reason, error.operation) {
        // The second is of a source address that this machine has lost since it was set.
        (Reason::NotOpen, Operation::Receive) | (Reason::NoSuchAddress, Operation::Send) => GodotError::FAILED,
        (Reason::NotOpen | Reason::NoDestination | Reason::NoBroadcast, _) => GodotError::ERR_UNCONFIGURED,
        (Reason::AlreadyOpen, _) => GodotError::ERR_ALREADY_IN_USE,
        // To the engine, a destination that is no address is a name.
        (
            Reason::InvalidAddress | Reason::UnknownInterface(_) | Reason::NoInterfaceList(_),
            Operation::SetDestination,
        )
        | (Reason::Unresolvable(_), _) => GodotError::ERR_CANT_RESOLVE,
        (
            Reason::InvalidAddress
            | Reason::InvalidPort(_)
            | Reason::InvalidSegment(_)
            | Reason::OutOfRange(_)
            | Reason::InvalidTimeout(_)
            | Reason::NotOfServer(_)
            | Reason::UnknownInterface(_)
            | Reason::NoInterfaceList(_)
            | Reason::NoSuchAddress
            | Reason::WrongFamily(None),
            _,
        ) => GodotError::ERR_INVALID_PARAMETER,
        (Reason::NoSocket(_), Operation::Bind) | (Reason::NoThread(_), _) => GodotError::ERR_CANT_CREATE,
        (Reason::NoSocket(_), Operation::Connect) => GodotError::ERR_CANT_OPEN,
        (Reason::Connected | Reason::Accepted, _) => GodotError::ERR_LOCKED,
        (Reason::OutOfMemory, _) => GodotError::ERR_OUT_OF_MEMORY,
        (Reason::Busy(_), _) => GodotError::ERR_BUSY,
        (Reason::Closed | Reason::Superseded | Reason::NoInterface | Reason::NotShared(_), _)
        | (Reason::NoScope(_) | Reason::Os(_), Operation::Bind) => GodotError::ERR_UNAVAILABLE,
        (
            Reason::NoScope(_)
            | Reason::NoSocket(_)
            | Reason::WrongFamily(Some(_))
            | Reason::BadSource(_)
            | Reason::Os(_),
            _,
        ) => GodotError::FAILED,
    }
}

/// The `Error` of a take without a packet, if there was an error.
#[expect(clippy::needless_pass_by_value, reason = "it is what is done with it")]
pub(crate) fn no_packet(error: Option<Error>) -> GodotError {
    error.as_ref().map_or(GodotError::ERR_UNAVAILABLE, to_godot_error)
}

/// A counter, as scripts have it.
pub(crate) fn counter_to_int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A number of things in memory, as scripts have it.
pub(crate) fn count_to_int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A hop limit, as scripts have it: 0 for the system's.
pub(crate) fn hops_to_int(hops: Option<NonZeroU8>) -> i64 {
    hops.map_or(0, |hops| hops.get().into())
}

/// What `get_stats()` returns.
pub(crate) fn stats_dictionary(stats: &Stats) -> VarDictionary {
    vdict! {
        "packets_sent" => counter_to_int(stats.packets_sent),
        "bytes_sent" => counter_to_int(stats.bytes_sent),
        "packets_received" => counter_to_int(stats.packets_received),
        "bytes_received" => counter_to_int(stats.bytes_received),
        "packets_dropped_queue" => counter_to_int(stats.packets_dropped_queue),
        "packets_dropped_kernel" => counter_to_int(stats.packets_dropped_kernel),
        "send_errors" => counter_to_int(stats.send_errors),
        "receive_errors" => counter_to_int(stats.receive_errors),
        "send_syscalls" => counter_to_int(stats.send_syscalls),
        "receive_syscalls" => counter_to_int(stats.receive_syscalls),
        "conditions_lost" => counter_to_int(stats.conditions.lost),
        "conditions_duplicated" => counter_to_int(stats.conditions.duplicated),
        "conditions_reordered" => counter_to_int(stats.conditions.reordered),
        "conditions_corrupted" => counter_to_int(stats.conditions.corrupted),
        "conditions_dropped" => counter_to_int(stats.conditions.dropped),
        "conditions_waiting" => counter_to_int(stats.conditions.waiting),
    }
}

/// `DROP_NEWEST` of the class `PacketPeerUdpRs`.
pub(crate) const DROP_NEWEST: i64 = 0;

/// `DROP_OLDEST` of the class `PacketPeerUdpRs`.
pub(crate) const DROP_OLDEST: i64 = 1;

/// The policy of a class constant; `None` for any other number.
pub(crate) fn overflow_policy(policy: i64) -> Option<OverflowPolicy> {
    match policy {
        DROP_NEWEST => Some(OverflowPolicy::DropNewest),
        DROP_OLDEST => Some(OverflowPolicy::DropOldest),
        _ => None,
    }
}

/// The class constant of a policy.
pub(crate) fn overflow_policy_constant(policy: OverflowPolicy) -> i64 {
    match policy {
        OverflowPolicy::DropNewest => DROP_NEWEST,
        OverflowPolicy::DropOldest => DROP_OLDEST,
    }
}

/// `JITTER_UNIFORM` of the class `UdpLinkConditions`.
pub(crate) const JITTER_UNIFORM: i64 = 0;

/// `JITTER_NORMAL` of the class `UdpLinkConditions`.
pub(crate) const JITTER_NORMAL: i64 = 1;

/// `JITTER_LONG_TAIL` of the class `UdpLinkConditions`.
pub(crate) const JITTER_LONG_TAIL: i64 = 2;

/// The distribution of a class constant; `None` for any other number.
pub(crate) fn jitter(distribution: i64) -> Option<Jitter> {
    match distribution {
        JITTER_UNIFORM => Some(Jitter::Uniform),
        JITTER_NORMAL => Some(Jitter::Normal),
        JITTER_LONG_TAIL => Some(Jitter::LongTail),
        _ => None,
    }
}

/// The class constant of a distribution.
pub(crate) fn jitter_constant(jitter: Jitter) -> i64 {
    match jitter {
        Jitter::Uniform => JITTER_UNIFORM,
        Jitter::Normal => JITTER_NORMAL,
        Jitter::LongTail => JITTER_LONG_TAIL,
    }
}

/// How many bytes [`Text`] holds without an allocation: more than the longest IP address with an interface has.
const SHORT_TEXT: usize = 64;

/// A script's text as a `&str`. Allocates nothing for what is short and ASCII, as numeric addresses are.
pub(crate) enum Text {
    Short { bytes: [u8; SHORT_TEXT], length: usize },
    Long(String),
}

impl From<&GString> for Text {
    fn from(text: &GString) -> Self {
        Self::short(text.chars()).unwrap_or_else(|| Self::Long(text.to_string()))
    }
}

impl Text {
    fn short(chars: &[char]) -> Option<Self> {
        let mut bytes = [0; SHORT_TEXT];
        for (byte, char) in bytes.get_mut(..chars.len())?.iter_mut().zip(chars) {
            *byte = u8::try_from(*char).ok().filter(u8::is_ascii)?;
        }
        Some(Self::Short { bytes, length: chars.len() })
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Short { bytes, length } => {
                bytes.get(..*length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
            }
            Self::Long(text) => text,
        }
    }
}

/// A port to bind or send to; 0 is one.
pub(crate) fn port(operation: Operation, address: &str, port: i64) -> Result<u16> {
    u16::try_from(port).map_err(|_| Error::new(operation, address, Reason::InvalidPort(port)))
}

/// A port that another host can be reached at: not 0.
pub(crate) fn port_to_reach(operation: Operation, address: &str, port: i64) -> Result<NonZeroU16> {
    let valid = u16::try_from(port).ok().and_then(NonZeroU16::new);
    valid.ok_or_else(|| Error::new(operation, address, Reason::InvalidPort(port)))
}

/// A port where the engine's class looks only at the lower 16 bits.
pub(crate) fn truncated_port(port: i64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is what the engine does")]
    let port = port as u16;
    port
}

/// The `recv_buf_size` of `bind()`. The engine takes any number.
pub(crate) fn queue_size(recv_buf_size: i64) -> usize {
    usize::try_from(recv_buf_size).unwrap_or(0)
}

/// The time to wait; `None` for as long as it takes.
pub(crate) fn timeout(msec: i64) -> Result<Option<Duration>> {
    match u64::try_from(msec) {
        Ok(msec) => Ok(Some(Duration::from_millis(msec))),
        Err(_) if msec == -1 => Ok(None),
        Err(_) => Err(Error::new(Operation::Wait, "", Reason::InvalidTimeout(msec))),
    }
}

/// How many packets to take; `None` for all there are.
pub(crate) fn max_packets(max_packets: i64) -> Result<Option<usize>> {
    match usize::try_from(max_packets) {
        Ok(max) => Ok(Some(max)),
        Err(_) if max_packets == -1 => Ok(None),
        Err(_) => Err(Error::new(Operation::Receive, "", Reason::OutOfRange(max_packets))),
    }
}

/// The size of the packets that data is sent in.
pub(crate) fn segment_size(size: i64) -> Result<NonZeroUsize> {
    let valid = usize::try_from(size).ok().filter(|size| *size <= MAX_PAYLOAD_IPV4).and_then(NonZeroUsize::new);
    valid.ok_or_else(|| Error::new(Operation::Send, "", Reason::InvalidSegment(size)))
}

/// A hop limit of 1 to 255; `None`, a script's 0, for the system's.
pub(crate) fn hop_limit(property: &str, hops: i64) -> Result<Option<NonZeroU8>> {
    byte(property, hops).map(NonZeroU8::new)
}

/// A number of 0 to 255.
pub(crate) fn byte(property: &str, value: i64) -> Result<u8> {
    u8::try_from(value).map_err(|_| out_of_range(property, value))
}

/// A number of 0 to 4,294,967,295.
pub(crate) fn unsigned(property: &str, value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| out_of_range(property, value))
}

/// The size of a buffer of the system's, which takes an `int`.
pub(crate) fn buffer_size(property: &str, bytes: i64) -> Result<usize> {
    let valid = i32::try_from(bytes).ok().and_then(|bytes| usize::try_from(bytes).ok());
    valid.ok_or_else(|| out_of_range(property, bytes))
}

/// The largest number that a property of link conditions may be, of those that have a limit only for a calculation to be right.
const LARGEST: u32 = u32::MAX;

/// A share of all packets: 0 to 1.
pub(crate) fn share(share: f64) -> Option<f64> {
    (0.0..=1.0).contains(&share).then_some(share)
}

/// A mean number of packets that are lost in a row.
pub(crate) fn loss_burst(packets: f64) -> Option<f64> {
    (1.0..=f64::from(LARGEST)).contains(&packets).then_some(packets)
}

/// A time of link conditions.
pub(crate) fn msec(msec: f64) -> Option<f64> {
    (0.0..=f64::from(LARGEST)).contains(&msec).then_some(msec)
}

/// A whole number of link conditions.
pub(crate) fn whole(number: i64) -> Option<u64> {
    u32::try_from(number).ok().map(u64::from)
}

/// The largest packet that link conditions let through; 0 for all.
pub(crate) fn packet_size(bytes: i64) -> Option<usize> {
    u16::try_from(bytes).ok().map(usize::from)
}

fn out_of_range(property: &str, value: i64) -> Error {
    Error::new(Operation::SetOption, format!("{property} to {value}"), Reason::OutOfRange(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ascii_text_is_kept_as_it_is_without_an_allocation() {
        for text in ["", "::1", "255.255.255.255", "fe80::1%eth0", &"a".repeat(SHORT_TEXT)] {
            let chars: Vec<char> = text.chars().collect();
            assert_eq!(Text::short(&chars).as_deref(), Some(text));
        }
        for text in ["bücher.example", "１", &"a".repeat(SHORT_TEXT + 1)] {
            let chars: Vec<char> = text.chars().collect();
            assert!(Text::short(&chars).is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_of_link_conditions_are_taken_to_the_ends_of_their_range_and_no_further() {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE];
        for value in odd {
            assert_eq!((share(value), loss_burst(value), msec(value)), (None, None, None), "{value}");
        }
        let (end, beyond) = (4_294_967_295.0, 4_294_967_296.0);
        assert_eq!([0.0, 0.5, 1.0, 1.000_000_1].map(share), [Some(0.0), Some(0.5), Some(1.0), None]);
        assert_eq!([0.999_999_9, 1.0, end, beyond].map(loss_burst), [None, Some(1.0), Some(end), None]);
        assert_eq!([0.0, 0.1, end, beyond].map(msec), [Some(0.0), Some(0.1), Some(end), None]);
        assert_eq!([-1, 0, 4_294_967_295, 4_294_967_296].map(whole), [None, Some(0), Some(4_294_967_295), None]);
        assert_eq!([-1, 0, 65_535, 65_536].map(packet_size), [None, Some(0), Some(65_535), None]);
        assert_eq!([-1, 3, i64::MAX].map(jitter), [None, None, None]);
        for constant in 0..3 {
            assert_eq!(jitter(constant).map(jitter_constant), Some(constant));
        }
    }

    #[test]
    fn integers_are_taken_to_the_ends_of_their_range_and_no_further() {
        let bounds = [i64::MIN, -65_536, -2, -1, 0, 1, 255, 256, 65_507, 65_508, 65_535, 65_536, i64::MAX];
        let valid = |check: &dyn Fn(i64) -> bool| bounds.into_iter().filter(|value| check(*value)).collect::<Vec<_>>();

        assert_eq!(valid(&|value| port(Operation::Bind, "", value).is_ok()), bounds[4..11]);
        assert_eq!(valid(&|value| port_to_reach(Operation::Send, "", value).is_ok()), bounds[5..11]);
        assert_eq!(valid(&|value| segment_size(value).is_ok()), bounds[5..9]);
        assert_eq!(valid(&|value| timeout(value).is_ok()), bounds[3..]);
        assert_eq!(valid(&|value| max_packets(value).is_ok()), bounds[3..]);
        assert_eq!(valid(&|value| byte("", value).is_ok()), bounds[4..7]);
        assert_eq!(valid(&|value| unsigned("", value).is_ok()), bounds[4..12]);
        assert_eq!(valid(&|value| buffer_size("", value).is_ok()), bounds[4..12]);

        assert!(matches!(hop_limit("", 0), Ok(None)));
        assert_eq!([-1, 0, 65_536, 65_537].map(truncated_port), [65_535, 0, 0, 1]);
        assert!(matches!(timeout(-1), Ok(None)));
        assert!(matches!(max_packets(-1), Ok(None)));
    }
}
