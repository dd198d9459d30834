//! Setting the properties of link conditions. One that is out of range stays as it was, and a line says what it may be.

use godot::meta::ToGodot;
use packet_peer_udp_core::Conditions;

use crate::convert;
use crate::messages::{self, BANDWIDTH_RANGE, BURST_RANGE, JITTERS, MSEC_RANGE, PACKET_SIZE_RANGE, SHARE_RANGE};
use crate::shared::SharedConditions;

/// Where a value is among all of them.
type Place<T> = fn(&mut Conditions) -> &mut T;

/// Sets a property that takes every value of its type.
pub(crate) fn set<T: PartialEq>(shared: &SharedConditions, value: T, place: Place<T>) {
    let mut is_changed = false;
    shared.values().change(|values| {
        let place = place(values);
        is_changed = *place != value;
        *place = value;
    });
    if is_changed {
        shared.emit_changed();
    }
}

/// A share of all packets.
pub(crate) fn set_share(shared: &SharedConditions, property: &'static str, share: f64, place: Place<f64>) {
    set_checked(shared, property, &share, convert::share(share), SHARE_RANGE, place);
}

pub(crate) fn set_loss_burst(shared: &SharedConditions, packets: f64) {
    let valid = convert::loss_burst(packets);
    set_checked(shared, "loss_burst", &packets, valid, BURST_RANGE, |values| &mut values.loss_burst);
}

pub(crate) fn set_msec(shared: &SharedConditions, property: &'static str, msec: f64, place: Place<f64>) {
    set_checked(shared, property, &msec, convert::msec(msec), MSEC_RANGE, place);
}

pub(crate) fn set_whole_msec(shared: &SharedConditions, property: &'static str, msec: i64, place: Place<u64>) {
    set_checked(shared, property, &msec, convert::whole(msec), MSEC_RANGE, place);
}

pub(crate) fn set_bandwidth_kbps(shared: &SharedConditions, kbps: i64) {
    let valid = convert::whole(kbps);
    set_checked(shared, "bandwidth_kbps", &kbps, valid, BANDWIDTH_RANGE, |values| &mut values.bandwidth_kbps);
}

pub(crate) fn set_max_packet_size(shared: &SharedConditions, bytes: i64) {
    let valid = convert::packet_size(bytes);
    set_checked(shared, "max_packet_size", &bytes, valid, PACKET_SIZE_RANGE, |values| &mut values.max_packet_size);
}

pub(crate) fn set_jitter_distribution(shared: &SharedConditions, distribution: i64) {
    let valid = convert::jitter(distribution);
    set_checked(shared, "jitter_distribution", &distribution, valid, JITTERS, |values| &mut values.jitter);
}

/// Sets a property to the value that `given` stands for; `None` where it is out of range, which is what `range` says.
fn set_checked<T: PartialEq>(
    shared: &SharedConditions,
    property: &'static str,
    given: &impl ToGodot,
    value: Option<T>,
    range: &str,
    place: Place<T>,
) {
    match value {
        Some(value) => set(shared, value, place),
        None => shared.reporter.print_of_property(property, &messages::out_of_range(given.to_variant(), range)),
    }
}
