extends RefCounted
## What the words of the Lab mean: names of the properties of UdpLinkConditions, and an explanation
## of each term for its tooltip.

## Property: its name on the page, and what it means.
const PROPERTIES: Dictionary[String, Array] = {
	"loss": ["Loss", "Share of the packets that never arrive."],
	"loss_burst":
	[
		"Loss in a row",
		"How many packets are lost one after the other, on average. 1: each is lost or not by itself.",
	],
	"duplicate": ["Duplicates", "Share of the packets that arrive twice."],
	"latency_msec": ["Latency", "How long a packet is on its way in this direction."],
	"jitter_msec": ["Jitter", "How much the latency differs from packet to packet."],
	"jitter_distribution":
	[
		"Jitter's shape",
		(
			"Uniform: every delay within ± jitter is equally likely.\n"
			+ "Normal: most are near the middle; jitter is the standard deviation.\n"
			+ "Long tail: most are a little early, a few very late, as on real networks."
		),
	],
	"jitter_reorders":
	[
		"Jitter reorders",
		(
			"On: every packet has a delay of its own and may overtake others.\n"
			+ "Off: packets keep their order, so a late one holds up those behind it."
		),
	],
	"reorder":
	["Reordering", "Share of the packets that are held back, so that later ones overtake them."],
	"reorder_delay_msec": ["Held back by", "How long a packet is held back to be overtaken."],
	"bandwidth_kbps":
	["Bandwidth", "How much the line carries: payload and 28 bytes for each packet. 0: no limit."],
	"queue_limit_msec":
	[
		"Queue limit",
		"A packet that would have to wait longer than this for its turn on the line is dropped.",
	],
	"spike_interval_msec": ["Stall every", "So often the line stands still for a while. 0: never."],
	"spike_msec": ["Stall lasts", "What was held up is delivered at once at the end of a stall."],
	"max_packet_size":
	[
		"Largest packet",
		"Larger packets are dropped without a word, as by a path's MTU. 0: no limit."
	],
	"corrupt":
	["Corruption", "Share of the packets in which one bit is flipped. It tries your parser."],
	"blackout": ["Blackout", "Nothing gets through, as in a tunnel."],
	"rng_seed":
	[
		"Seed",
		"With the same number the same packets are lost and late in every run. 0: different ones."
	],
}


static func property_name(property: String) -> String:
	return PROPERTIES[property][0] if PROPERTIES.has(property) else property.capitalize()


## The explanation, and the property's name for a script.
static func property_words(property: String) -> String:
	var words: String = PROPERTIES[property][1] if PROPERTIES.has(property) else ""
	return "%s\n%s" % [words, property] if words else property
