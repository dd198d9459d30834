//! The class `UdpLinkConditions`: its registered members. What they do is in [`calls`](crate::calls).
//!
//! The `///` comments are its pages in the editor's class reference, as those of `PacketPeerUdpRs`.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the class reference's links are not Rust's")]
#![allow(clippy::tabs_in_doc_comments, reason = "the samples are GDScript, which the editor indents by tabs")]

use godot::classes::{IResource, Resource};
use godot::prelude::*;
use godot::register::property::PhantomVar;

use crate::calls::link_conditions;
use crate::convert::{self, count_to_int, counter_to_int};
use crate::direct::direct_methods;
use crate::registry::{self, HasShared, Registration};
use crate::shared::SharedConditions;

/// Describes a bad network: what happens to the packets of one direction of a link.
///
/// On loopback nothing is lost, late or out of order; players' networks do all of that. Assign one to
/// [member PacketPeerUdpRs.send_conditions] and to [member PacketPeerUdpRs.receive_conditions], both at one end, and the round trip is
/// bad. A server's peers start with [member UdpServerRs.send_conditions] and [member UdpServerRs.receive_conditions].
///
/// ```gdscript
/// var conditions := UdpLinkConditions.new()
/// conditions.latency_msec = 40
/// conditions.jitter_msec = 10
/// conditions.loss = 0.02
/// peer.send_conditions = conditions
/// peer.receive_conditions = conditions
/// ```
///
/// The addon's folder has presets, with numbers that were measured on real networks: `conditions/wifi.tres`, `crowded_wifi`,
/// `mobile_4g`, `mobile_3g`, `transatlantic`, `satellite`, and `awful`, which is everything at once.
///
/// With its defaults it does nothing. A changed property takes effect at once, on all peers that have it: for the packets that come
/// after the change. A value out of range is refused: a line in the log says what it may be, and the property stays as it was.
///
/// The effects apply to each packet in this order: [member max_packet_size]; [member blackout]; [member loss]; [member duplicate],
/// whose copy goes through all that follows by itself; [member bandwidth_kbps]; [member latency_msec] and [member jitter_msec];
/// [member reorder]; [member spike_interval_msec]; [member corrupt]. What they have done is counted, see
/// [method PacketPeerUdpRs.get_stats]. Packets are delivered when they are due by a thread of the addon, independently of frames.
///
/// **Threads:** every property may be set and read on any thread.
#[derive(GodotClass)]
#[class(tool, base = Resource)]
pub(crate) struct UdpLinkConditions {
    /// Which share of the packets is lost, 0.0 to 1.0.
    #[var(get = get_loss, set = set_loss, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,1,0.0001")]
    loss: PhantomVar<f64>,
    /// How many packets are lost in a row on average, 1 or more. With 1, the default, each packet is lost independently of the
    /// others. Real losses come in bursts, which redundancy survives less.
    ///
    /// Above 1 it is the simplest model of E. N. Gilbert (*Capacity of a Burst-Noise Channel*, 1960): in a good state every packet
    /// gets through, in a bad one none. After each packet the bad state ends with the probability 1 / `loss_burst`, and the good one
    /// with [member loss] / (`loss_burst` · (1 - [member loss])); so share and mean number are both exact. Where they cannot be (three
    /// quarters of all packets lost in bursts of two), the share is kept, and bursts are longer.
    #[var(get = get_loss_burst, set = set_loss_burst, usage_flags = [DEFAULT], hint = RANGE, hint_string = "1,20,0.1,or_greater")]
    loss_burst: PhantomVar<f64>,
    /// Which share of the packets is delivered twice, 0.0 to 1.0. The copy is delayed and reordered by itself.
    #[var(get = get_duplicate, set = set_duplicate, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,1,0.0001")]
    duplicate: PhantomVar<f64>,
    /// How many milliseconds each packet takes, 0 or more. One direction: half of the round trip, if both have the same.
    #[var(get = get_latency_msec, set = set_latency_msec, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,1000,0.1,or_greater,suffix:ms")]
    latency_msec: PhantomVar<f64>,
    /// How much the delay varies around [member latency_msec], in milliseconds, 0 or more; [member jitter_distribution] says what that
    /// means. The delay is never below 0.
    ///
    /// A packet never overtakes the one before, as on one line: a late one delays those behind it. See [member jitter_reorders].
    #[var(get = get_jitter_msec, set = set_jitter_msec, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,200,0.1,or_greater,suffix:ms")]
    jitter_msec: PhantomVar<f64>,
    /// How the delay varies: [constant JITTER_UNIFORM], [constant JITTER_NORMAL], the default, or [constant JITTER_LONG_TAIL].
    #[var(get = get_jitter_distribution, set = set_jitter_distribution, usage_flags = [DEFAULT], hint = ENUM, hint_string = "Uniform,Normal,Long tail")]
    jitter_distribution: PhantomVar<i64>,
    /// Whether each delay stands by itself, so that packets which are sent at a shorter interval than they jitter overtake each
    /// other. That is how Linux' netem does it; few real paths reorder as much as they jitter.
    #[var(get = get_jitter_reorders, set = set_jitter_reorders, usage_flags = [DEFAULT])]
    jitter_reorders: PhantomVar<bool>,
    /// Which share of the packets is held back for [member reorder_delay_msec] more, 0.0 to 1.0, so that later ones overtake them.
    #[var(get = get_reorder, set = set_reorder, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,1,0.0001")]
    reorder: PhantomVar<f64>,
    /// How many milliseconds longer the packets are held back that [member reorder] chooses, 0 or more. If the next packet is sent
    /// later than that, none overtakes: a game that sends every 50 ms needs more than the default of 10.
    #[var(get = get_reorder_delay_msec, set = set_reorder_delay_msec, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,200,0.1,or_greater,suffix:ms")]
    reorder_delay_msec: PhantomVar<f64>,
    /// How many kilobits, of 1000 bits, the line carries in a second; 0, the default, for no limit. A packet counts with its payload
    /// and 28 bytes, the headers of IPv4 and UDP. The line carries one packet after the other, and each is delivered, at the
    /// earliest, when its last bit has come through.
    #[var(get = get_bandwidth_kbps, set = set_bandwidth_kbps, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,100000,1,or_greater,suffix:kbit/s")]
    bandwidth_kbps: PhantomVar<i64>,
    /// How many milliseconds a packet may wait until the line of [member bandwidth_kbps] begins to carry it. One that would wait
    /// longer is dropped, as by a router whose queue is full (drop-tail). A long limit gives the delays of seconds that are known as
    /// bufferbloat.
    #[var(get = get_queue_limit_msec, set = set_queue_limit_msec, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,2000,1,or_greater,suffix:ms")]
    queue_limit_msec: PhantomVar<i64>,
    /// After how many milliseconds the line stalls for [member spike_msec], again and again, from its first packet on; 0, the
    /// default, for never. What has waited is delivered at once when the stall ends, as it happens on Wi-Fi.
    #[var(get = get_spike_interval_msec, set = set_spike_interval_msec, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,60000,1,or_greater,suffix:ms")]
    spike_interval_msec: PhantomVar<i64>,
    /// How many milliseconds each stall lasts, see [member spike_interval_msec]; at most until the next one begins. 0, the default:
    /// none.
    #[var(get = get_spike_msec, set = set_spike_msec, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,2000,1,or_greater,suffix:ms")]
    spike_msec: PhantomVar<i64>,
    /// Packets with a larger payload than so many bytes are dropped, as on a path whose MTU nobody reports; 0, the default, for no
    /// limit. 1472 bytes fit into an Ethernet frame over IPv4, 1232 into every IPv6 path.
    #[var(get = get_max_packet_size, set = set_max_packet_size, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,65535,1,suffix:B")]
    max_packet_size: PhantomVar<i64>,
    /// In which share of the packets one random bit of the payload is flipped, 0.0 to 1.0. Real networks drop such packets by UDP's
    /// checksum; this tries your parser.
    #[var(get = get_corrupt, set = set_corrupt, usage_flags = [DEFAULT], hint = RANGE, hint_string = "0,1,0.0001")]
    corrupt: PhantomVar<f64>,
    /// Whether nothing gets through. What is held back and falls due meanwhile is lost as well.
    #[var(get = get_blackout, set = set_blackout, usage_flags = [DEFAULT])]
    blackout: PhantomVar<bool>,
    /// With 0, the default, every run is different. With another number, the same sequence of packets meets the same decisions: which
    /// are lost, doubled and held back, and by how much each is late. They depend on the packets' order and sizes, not on the clock.
    /// The decisions begin anew when the peer is opened, when conditions are assigned, also the same ones, and with another seed. Two peers
    /// with one seed meet the same decisions; sending and receiving differ. Switching one effect on does not change what the others
    /// decide.
    #[var(get = get_rng_seed, set = set_rng_seed, usage_flags = [DEFAULT])]
    rng_seed: PhantomVar<i64>,
    shared: Registration<SharedConditions>,
    base: Base<Resource>,
}

#[godot_api]
impl IResource for UdpLinkConditions {
    fn init(base: Base<Resource>) -> Self {
        let shared = SharedConditions::new(registry::id_of_base(&base));
        Self {
            loss: PhantomVar::default(),
            loss_burst: PhantomVar::default(),
            duplicate: PhantomVar::default(),
            latency_msec: PhantomVar::default(),
            jitter_msec: PhantomVar::default(),
            jitter_distribution: PhantomVar::default(),
            jitter_reorders: PhantomVar::default(),
            reorder: PhantomVar::default(),
            reorder_delay_msec: PhantomVar::default(),
            bandwidth_kbps: PhantomVar::default(),
            queue_limit_msec: PhantomVar::default(),
            spike_interval_msec: PhantomVar::default(),
            spike_msec: PhantomVar::default(),
            max_packet_size: PhantomVar::default(),
            corrupt: PhantomVar::default(),
            blackout: PhantomVar::default(),
            rng_seed: PhantomVar::default(),
            shared: Registration::new(&base, shared),
            base,
        }
    }
}

impl HasShared for UdpLinkConditions {
    type Shared = SharedConditions;

    fn registration(&self) -> &Registration<SharedConditions> {
        &self.shared
    }
}

#[godot_api]
impl UdpLinkConditions {
    /// The delay is uniform between [member latency_msec] - [member jitter_msec] and [member latency_msec] + [member jitter_msec].
    #[constant]
    const JITTER_UNIFORM: i64 = 0;

    /// The delay has a normal distribution, whose standard deviation is [member jitter_msec].
    #[constant]
    const JITTER_NORMAL: i64 = 1;

    /// The delay has the distribution "paretonormal" of Linux' netem, which is like measured delays: most are near the middle, and a
    /// few are much longer. It is scaled by [member jitter_msec]; the standard deviation is 0.83 of that. Two thirds of the packets
    /// are earlier than [member latency_msec], and one in a hundred is later by more than 3.5 times [member jitter_msec].
    #[constant]
    const JITTER_LONG_TAIL: i64 = 2;
}

// The constants above are literals, since the class reference shows their source text.
const _: () = assert!(UdpLinkConditions::JITTER_UNIFORM == convert::JITTER_UNIFORM);
const _: () = assert!(UdpLinkConditions::JITTER_NORMAL == convert::JITTER_NORMAL);
const _: () = assert!(UdpLinkConditions::JITTER_LONG_TAIL == convert::JITTER_LONG_TAIL);

// How these are written, and why they are no `#[func]`s: see `direct.rs`.
direct_methods! {
    UdpLinkConditions, __godot_UdpLinkConditions_Funcs;

    const fn get_loss(shared) -> f64 {
        shared.get().loss
    }

    mut fn set_loss(shared, share: f64) {
        link_conditions::set_share(shared, "loss", share, |values| &mut values.loss);
    }

    const fn get_loss_burst(shared) -> f64 {
        shared.get().loss_burst
    }

    mut fn set_loss_burst(shared, packets: f64) {
        link_conditions::set_loss_burst(shared, packets);
    }

    const fn get_duplicate(shared) -> f64 {
        shared.get().duplicate
    }

    mut fn set_duplicate(shared, share: f64) {
        link_conditions::set_share(shared, "duplicate", share, |values| &mut values.duplicate);
    }

    const fn get_latency_msec(shared) -> f64 {
        shared.get().latency_msec
    }

    mut fn set_latency_msec(shared, msec: f64) {
        link_conditions::set_msec(shared, "latency_msec", msec, |values| &mut values.latency_msec);
    }

    const fn get_jitter_msec(shared) -> f64 {
        shared.get().jitter_msec
    }

    mut fn set_jitter_msec(shared, msec: f64) {
        link_conditions::set_msec(shared, "jitter_msec", msec, |values| &mut values.jitter_msec);
    }

    const fn get_jitter_distribution(shared) -> i64 {
        convert::jitter_constant(shared.get().jitter)
    }

    mut fn set_jitter_distribution(shared, distribution: i64) {
        link_conditions::set_jitter_distribution(shared, distribution);
    }

    const fn get_jitter_reorders(shared) -> bool {
        shared.get().jitter_reorders
    }

    mut fn set_jitter_reorders(shared, enabled: bool) {
        link_conditions::set(shared, enabled, |values| &mut values.jitter_reorders);
    }

    const fn get_reorder(shared) -> f64 {
        shared.get().reorder
    }

    mut fn set_reorder(shared, share: f64) {
        link_conditions::set_share(shared, "reorder", share, |values| &mut values.reorder);
    }

    const fn get_reorder_delay_msec(shared) -> f64 {
        shared.get().reorder_delay_msec
    }

    mut fn set_reorder_delay_msec(shared, msec: f64) {
        link_conditions::set_msec(shared, "reorder_delay_msec", msec, |values| &mut values.reorder_delay_msec);
    }

    const fn get_bandwidth_kbps(shared) -> i64 {
        counter_to_int(shared.get().bandwidth_kbps)
    }

    mut fn set_bandwidth_kbps(shared, kbps: i64) {
        link_conditions::set_bandwidth_kbps(shared, kbps);
    }

    const fn get_queue_limit_msec(shared) -> i64 {
        counter_to_int(shared.get().queue_limit_msec)
    }

    mut fn set_queue_limit_msec(shared, msec: i64) {
        link_conditions::set_whole_msec(shared, "queue_limit_msec", msec, |values| &mut values.queue_limit_msec);
    }

    const fn get_spike_interval_msec(shared) -> i64 {
        counter_to_int(shared.get().spike_interval_msec)
    }

    mut fn set_spike_interval_msec(shared, msec: i64) {
        link_conditions::set_whole_msec(shared, "spike_interval_msec", msec, |values| &mut values.spike_interval_msec);
    }

    const fn get_spike_msec(shared) -> i64 {
        counter_to_int(shared.get().spike_msec)
    }

    mut fn set_spike_msec(shared, msec: i64) {
        link_conditions::set_whole_msec(shared, "spike_msec", msec, |values| &mut values.spike_msec);
    }

    const fn get_max_packet_size(shared) -> i64 {
        count_to_int(shared.get().max_packet_size)
    }

    mut fn set_max_packet_size(shared, bytes: i64) {
        link_conditions::set_max_packet_size(shared, bytes);
    }

    const fn get_corrupt(shared) -> f64 {
        shared.get().corrupt
    }

    mut fn set_corrupt(shared, share: f64) {
        link_conditions::set_share(shared, "corrupt", share, |values| &mut values.corrupt);
    }

    const fn get_blackout(shared) -> bool {
        shared.get().blackout
    }

    mut fn set_blackout(shared, enabled: bool) {
        link_conditions::set(shared, enabled, |values| &mut values.blackout);
    }

    const fn get_rng_seed(shared) -> i64 {
        shared.get().rng_seed
    }

    mut fn set_rng_seed(shared, seed: i64) {
        link_conditions::set(shared, seed, |values| &mut values.rng_seed);
    }
}
