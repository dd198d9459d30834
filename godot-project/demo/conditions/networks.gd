extends RefCounted
## The addon's presets, and names for people.

const NAMES: Dictionary[String, String] = {
	"wifi": "Wi-Fi at home",
	"crowded_wifi": "Crowded Wi-Fi",
	"mobile_4g": "Mobile, 4G",
	"mobile_3g": "Mobile, 3G",
	"transatlantic": "Transatlantic",
	"satellite": "Satellite",
	"awful": "Awful",
}
const FOLDER := "res://addons/packet_peer_udp_rs/conditions"


static func preset(id: String) -> UdpLinkConditions:
	return load(FOLDER.path_join(id + ".tres"))


## The preset with a seed of its own: the same decisions in every run.
static func seeded_preset(id: String, rng_seed: int) -> UdpLinkConditions:
	var conditions: UdpLinkConditions = preset(id).duplicate()
	conditions.rng_seed = rng_seed
	return conditions


## The properties that matter for a few messages, in a line.
static func describe(conditions: UdpLinkConditions) -> String:
	var parts := PackedStringArray(["%s ms each way" % _number(conditions.latency_msec)])
	parts.append("%s %% lost" % _number(conditions.loss * 100.0))
	if conditions.loss_burst > 1.0:
		parts[-1] += " in bursts of %s" % _number(conditions.loss_burst)
	if conditions.duplicate > 0.0:
		parts.append("%s %% twice" % _number(conditions.duplicate * 100.0))
	if conditions.reorder > 0.0:
		parts.append("%s %% overtaken" % _number(conditions.reorder * 100.0))
	return ", ".join(parts)


static func _number(value: float) -> String:
	return ("%.2f" % value).rstrip("0").trim_suffix(".")
