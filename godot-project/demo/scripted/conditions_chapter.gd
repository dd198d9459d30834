extends "chapter.gd"
## A chat through the preset `awful`: what is lost, late, doubled and overtaken, and that the
## counters account for every packet.

const Figures := preload("../figures.gd")
const Networks := preload("../conditions/networks.gd")
const Talk := preload("../conditions/talk.gd")
const Traffic := preload("../conditions/traffic.gd")

const ALICE_SAYS := (
	"a bad network loses words in bursts and brings others late or twice or in the wrong order"
	+ " and nobody tells the sender about any of it"
)
const BOB_SAYS := (
	"so number what you send and ask again for what is missing and take nothing twice"
	+ " and then even this stays a conversation that is worth having"
)
const WORDS_PER_SECOND := 30

## Then the pace of a game.
const PACKETS_PER_SECOND := 60
const PACKETS := 150
const STRIP_COLUMNS := 75

const CHAT_SEED := 40
const FIRST_SEED := 1
const OTHER_SEED := 2

## No quantile of JITTER_LONG_TAIL is below this, in units of the jitter.
const LEAST_JITTER := -1.51
const RUN_MSEC := 30_000

var _talks: Array[Talk] = []


func play() -> void:
	await _chat()
	await _play_game()


func _exit_tree() -> void:
	for talk in _talks:
		talk.close()


func _chat() -> void:
	tell("Two more peers, and the preset awful in both directions, by two lines at Alice's end:")
	tell("alice.send_conditions = AWFUL; alice.receive_conditions = AWFUL")
	tell(Networks.describe(_awful(CHAT_SEED)))
	var talks := await _talk(
		[CHAT_SEED], ALICE_SAYS.split(" "), BOB_SAYS.split(" "), WORDS_PER_SECOND
	)
	_tell_words(talks[0])
	_check_counts(talks[0])
	_check_delays(talks)


func _play_game() -> void:
	tell(
		(
			"At a game's pace: %d packets a second each way, %d of them, from three pairs of peers."
			% [PACKETS_PER_SECOND, PACKETS]
		)
	)
	tell(". arrived   x lost   2 arrived twice   < overtaken by later ones")
	var silence := PackedStringArray()
	silence.resize(PACKETS)
	var seeds: Array[int] = [FIRST_SEED, FIRST_SEED, OTHER_SEED]
	var talks := await _talk(seeds, silence, silence, PACKETS_PER_SECOND)
	for number in talks.size():
		_tell_strips("pair %d, rng_seed %d" % [number + 1, seeds[number]], talks[number])
		_check_counts(talks[number])
	var waiting: Array = talks.map(func(talk: Talk) -> int: return talk.balanced_waiting)
	claims.check(
		waiting.min() > 0,
		"the sums held on the way as well, while up to %d packets were waiting" % waiting.max(),
		"waiting: %s" % [waiting]
	)
	_check_delays(talks)
	claims.check(
		_lost(talks[0]) == _lost(talks[1]),
		"the same seed has lost the same packets, in both directions",
		"%s and %s" % [_lost(talks[0]), _lost(talks[1])]
	)
	claims.check(_lost(talks[0]) != _lost(talks[2]), "another seed has lost others")


## Runs talks with these seeds side by side.
func _talk(
	seeds: Array[int], alice_says: PackedStringArray, bob_says: PackedStringArray, per_second: int
) -> Array[Talk]:
	var talks: Array[Talk] = []
	for rng_seed in seeds:
		var talk := Talk.new()
		var error := talk.open(_awful(rng_seed))
		if error != OK:
			claims.check(false, "the peers are open", error_string(error))
		talks.append(talk)
	_talks.append_array(talks)
	for talk in talks:
		talk.start(alice_says, bob_says, per_second)
	await until(_step.bind(talks), RUN_MSEC)
	return talks


## Whether all talks are over.
func _step(talks: Array[Talk]) -> bool:
	var are_over := true
	for talk in talks:
		are_over = talk.step() and are_over
	return are_over


func _awful(rng_seed: int) -> UdpLinkConditions:
	return Networks.seeded_preset("awful", rng_seed)


## What became of each word.
func _tell_words(talk: Talk) -> void:
	var row := "%-14s %-28s %-14s %s"
	tell(row % ["Alice says", "and Bob reads it after", "Bob says", "and Alice reads it after"])
	var alice_words := ALICE_SAYS.split(" ")
	var bob_words := BOB_SAYS.split(" ")
	var to_bob := _fates(talk.to_bob)
	var to_alice := _fates(talk.to_alice)
	for number in alice_words.size():
		tell(row % [alice_words[number], to_bob[number], bob_words[number], to_alice[number]])
	tell("Bob has read:   " + " ".join(talk.to_bob.texts))
	tell("Alice has read: " + " ".join(talk.to_alice.texts))


func _fates(traffic: Traffic) -> PackedStringArray:
	var fates := PackedStringArray()
	var delays := traffic.delays_msec()
	var repeated := traffic.repeated()
	var overtaken := traffic.overtaken()
	for number in delays.size():
		if delays[number] == Traffic.NEVER:
			fates.append("lost")
			continue
		var fate := "%d ms" % roundi(delays[number])
		if number in overtaken:
			fate += ", overtaken"
		if number in repeated:
			fate += ", twice"
		fates.append(fate)
	return fates


func _tell_strips(name: String, talk: Talk) -> void:
	for traffic: Traffic in [talk.to_bob, talk.to_alice]:
		var strip := ".".repeat(traffic.sent_usec.size())
		for number in traffic.overtaken():
			strip[number] = "<"
		for number in traffic.repeated():
			strip[number] = "2"
		for number in traffic.lost():
			strip[number] = "x"
		var title := "%s, %s" % [name, "to Bob" if traffic == talk.to_bob else "to Alice"]
		for column in range(0, strip.length(), STRIP_COLUMNS):
			tell("%-32s %s" % ["" if column else title, strip.substr(column, STRIP_COLUMNS)])


## Nothing has disappeared uncounted.
func _check_counts(talk: Talk) -> void:
	claims.check(
		talk.is_balanced() and talk.waiting() == 0,
		(
			"%d sent + %d doubled = %d received + %d lost + %d dropped + %d waiting"
			% [
				talk.sent(),
				talk.counted("duplicated"),
				talk.arrived(),
				talk.counted("lost"),
				talk.counted("dropped"),
				talk.waiting()
			]
		)
	)
	var missing := talk.to_bob.lost().size() + talk.to_alice.lost().size()
	var repeated := talk.to_bob.repeated().size() + talk.to_alice.repeated().size()
	var overtaken := talk.to_bob.overtaken().size() + talk.to_alice.overtaken().size()
	claims.check(
		(
			missing == talk.counted("lost")
			and repeated == talk.counted("duplicated")
			and overtaken <= talk.counted("reordered")
		),
		"the ends have found the same: %d missing, %d twice" % [missing, repeated],
		"%d missing, %d twice, %d overtaken" % [missing, repeated, overtaken]
	)


func _check_delays(talks: Array[Talk]) -> void:
	var delays := PackedFloat64Array()
	for talk in talks:
		for traffic: Traffic in [talk.to_bob, talk.to_alice]:
			for delay in traffic.delays_msec():
				if delay != Traffic.NEVER:
					delays.append(delay)
	delays.sort()
	var awful: UdpLinkConditions = talks[0].alice.send_conditions
	var least := awful.latency_msec + LEAST_JITTER * awful.jitter_msec
	claims.check(
		not delays.is_empty() and delays[0] >= least,
		(
			(
				"none came before its time: %d to %d ms, half of them within %d ms"
				% [delays[0], delays[-1], delays[delays.size() / 2]]
			)
			if delays
			else "nothing came"
		),
		"the first after %.1f ms" % (delays[0] if delays else 0.0)
	)


func _lost(talk: Talk) -> Array[PackedInt32Array]:
	return [talk.to_bob.lost(), talk.to_alice.lost()]
