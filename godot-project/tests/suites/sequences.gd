extends "../support/suite.gd"
## Some random sequences of calls, on the engine's classes and on ours in step. scripts/sequences.sh
## runs many, and repeats those of a seed that is printed here.

const Sequence := preload("../sequences/sequence.gd")
const Peers := preload("../sequences/peers.gd")
const Servers := preload("../sequences/servers.gd")


func test_a_peer_answers_random_calls_as_the_engine_does() -> void:
	_check_sequences(Peers.new(), 120)


func test_a_server_answers_random_calls_as_the_engine_does() -> void:
	_check_sequences(Servers.new(), 320)


func _check_sequences(sequences: Sequence, count: int) -> void:
	if not needs_ipv6():
		return
	allow_lines("^ERROR: ")
	var start_seed := int(Time.get_unix_time_from_system())
	var difference := sequences.run_many(count, start_seed)
	check(difference.is_empty(), "\n".join(difference))
	note("%d sequences with %d calls, seed %d" % [count, sequences.call_count(), start_seed])
	# Sequences of calls that fail show little.
	for name: String in sequences.tally if difference.is_empty() else {}:
		if (
			name == "(packets arrive)"
			or name.ends_with("get_packet")
			or name.ends_with("put_packet")
		):
			var succeeded: int = sequences.tally[name].x
			check(succeeded > count / 4, "%s has succeeded %d times" % [name, succeeded])
