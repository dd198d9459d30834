extends "../support/suite.gd"
## Experiments of the Lab: with each kind of end, each pattern, and what can go wrong.

const Lab := preload("res://demo/lab/lab.gd")
const LabMeasures := preload("res://demo/lab/lab_measures.gd")
const LabPattern := preload("res://demo/lab/lab_pattern.gd")
const LabSetup := preload("res://demo/lab/lab_setup.gd")
const LabSide := preload("res://demo/lab/lab_side.gd")


func test_nothing_is_lost_between_all_kinds_of_ends() -> void:
	for near: LabSetup.EndKind in [LabSetup.EndKind.OURS, LabSetup.EndKind.NATIVE]:
		for far: LabSetup.EndKind in LabSetup.END_TITLES:
			for kind: LabPattern.Kind in [LabPattern.Kind.STEADY, LabPattern.Kind.FILE]:
				var setup := LabSetup.new()
				setup.near = near
				setup.far = far
				setup.pattern = kind
				setup.file_bytes = 10_030
				var side := _run(setup, 100).sides[0]
				var totals := side.measures.totals()
				var what := "%s, far end %s" % [side.title(), LabSetup.END_TITLES[far]]
				check(totals[&"sent"] > 0, what + ": nothing sent")
				check_equal(totals[&"received"], totals[&"sent"], what + ": received")
				check_equal(totals[&"bytes_received"], totals[&"bytes_sent"], what + ": bytes")
				check_equal(side.counted()[&"received"], totals[&"sent"], what + ": get_stats()")
				if kind == LabPattern.Kind.FILE:
					check_equal(totals[&"bytes_sent"], 10_030, what + ": the file")


func test_each_way_to_the_conditions_counts_the_same() -> void:
	for through_relay: bool in [false, true]:
		var setup := _lossy()
		setup.through_relay = through_relay
		setup.background_receive = not through_relay
		var side := _run(setup, 300).sides[0]
		check_equal(side.is_relayed(), through_relay, "is_relayed")
		_check_lost(side)
		check_equal(setup.there.rng_seed, setup.rng_seed, "the seed of there")
		check_equal(setup.back.rng_seed, setup.rng_seed, "the seed of back")
		check(setup.rng_seed != 0, "a seed was drawn")


func test_damaged_packets_are_counted() -> void:
	for near: LabSetup.EndKind in [LabSetup.EndKind.OURS, LabSetup.EndKind.NATIVE]:
		var setup := LabSetup.new()
		setup.near = near
		setup.packets_per_second = 1000
		setup.there = UdpLinkConditions.new()
		setup.there.corrupt = 0.2
		var side := _run(setup, 300).sides[0]
		var totals := side.measures.totals()
		check(totals[&"damaged"] > 0, "none was damaged")
		check_equal(totals[&"damaged"], side.counted()[&"corrupted"], "damaged")
		check_equal(totals[&"lost"], totals[&"damaged"], "lost")


func test_a_changed_property_takes_effect_at_once() -> void:
	var setup := LabSetup.new()
	setup.there = UdpLinkConditions.new()
	setup.packets_per_second = 500
	setup.compare_with_native = true
	var lab := _started(setup)
	check_equal(lab.sides.size(), 2, "sides")
	_step_for(lab, 200)
	setup.there.blackout = true
	_step_for(lab, 200)
	_settle(lab)
	var sent: Array = lab.sides.map(_sent_by)
	check_equal(sent[1], sent[0], "sent by both")
	for side in lab.sides:
		_check_lost(side)
		var totals := side.measures.totals()
		check(totals[&"received"] > 0, side.title() + ": nothing came before")
		check_equal(side.measures.fate_of(0), LabMeasures.Fate.ARRIVED, "fate of the first")
		check_equal(
			side.measures.fate_of(totals[&"sent"] - 1), LabMeasures.Fate.LOST, "of the last"
		)
	_end(lab)


func test_both_sides_have_sent_the_same_however_it_ends() -> void:
	var setup := LabSetup.new()
	setup.packets_per_second = 10_000
	setup.compare_with_native = true
	for kind: LabPattern.Kind in [
		LabPattern.Kind.STEADY, LabPattern.Kind.BURSTS, LabPattern.Kind.GAME
	]:
		setup.pattern = kind
		var lab := _started(setup)
		_step_for(lab, 100)
		lab.stop()
		var sent: Array = lab.sides.map(_sent_by)
		check(sent[0] > 0, "nothing sent")
		check_equal(sent[1], sent[0], LabPattern.TITLES[kind])
		lab.free()


func test_what_was_measured_stays_after_stop() -> void:
	var lab := _run(_lossy(), 200)
	var side := lab.sides[0]
	var totals := side.measures.totals()
	var counted := side.counted()
	var seconds := lab.seconds()
	check_equal(lab.is_running(), false, "is_running")
	check(seconds >= 0.2, "seconds: %s" % seconds)
	lab = null
	OS.delay_msec(5)
	check_equal(side.measures.totals(), totals, "totals")
	check_equal(side.counted(), counted, "counted")


func test_an_experiment_can_be_stopped_at_any_time_and_started_again() -> void:
	var lab := Lab.new()
	var events := _events_of(lab)
	for far: LabSetup.EndKind in LabSetup.END_TITLES:
		var setup := LabSetup.new()
		setup.far = far
		check_equal(lab.start(setup), OK, "start")
		check_equal(lab.start(setup), ERR_ALREADY_IN_USE, "start again")
		lab.stop()
		lab.stop()
		check_equal(lab.is_running(), false, "is_running")
		lab.step()
	var expected := ["started", "stopped", "started", "stopped", "stopped"]
	check_equal(events, expected, "signals; the other process was not yet there")
	lab.free()


func test_trouble_is_told_in_words() -> void:
	var lab := Lab.new()
	var events := _events_of(lab)
	var setup := LabSetup.new()
	setup.packet_bytes = 1
	check_equal(lab.start(setup), ERR_INVALID_PARAMETER, "a packet that is too small")
	check_equal(events.size(), 1, "signals: %s" % [events])
	check_equal(lab.is_running(), false, "is_running")
	setup = LabSetup.new()
	setup.far = LabSetup.EndKind.PROCESS
	check_equal(lab.start(setup), OK, "start")
	check(wait_until(_is_begun.bind(lab)), "it does not begin: %s" % [events])
	# It cannot be killed here: the engine prints an error when it looks for it afterwards.
	lab.sides[0]._process._control.put_packet(bytes("end"))
	check(wait_until(_is_ended.bind(lab)), "nobody noticed that the process has ended")
	check_equal(events.slice(1), ["started", "The other process has ended.", "stopped"], "signals")
	lab.free()


func test_a_handler_may_begin_the_next_one() -> void:
	var setup := LabSetup.new()
	setup.compare_with_native = true
	var lab := _started_quietly(setup)
	lab.stopped.connect(func() -> void: lab.start(LabSetup.new()), CONNECT_ONE_SHOT)
	for side in lab.sides:
		side.trouble = "made up"
	lab.step()
	check(lab.is_running(), "the second side's trouble has ended the next one")
	check_equal(lab.sides.size(), 1, "sides")
	_end(lab)


func test_a_freeze_is_announced_and_measured() -> void:
	var lab := _started(LabSetup.new())
	var events := []
	lab.freezing.connect(func(msec: int) -> void: events.append(msec))
	lab.froze.connect(func(msec: int) -> void: events.append(msec))
	lab.freeze(150)
	lab.freeze(150)
	check_equal(events, [150], "announced once")
	for i in Lab.FRAMES_BEFORE_FREEZE - 1:
		lab.step()
	check_equal(events, [150], "not yet")
	lab.step()
	check_equal(events.size(), 2, "signals")
	check(events[-1] >= 150, "it took %d ms" % events[-1])
	var frozen := lab.sides[0].measures.series(&"frozen")
	check(Array(frozen).count(1.0) >= 3, "buckets that are frozen")
	_settle(lab)
	check_equal(lab.sides[0].measures.totals()[&"lost"], 0, "lost")
	_end(lab)


# ---- helpers ------------------------------------------------------------------------------------


func _lossy() -> LabSetup:
	var setup := LabSetup.new()
	setup.packets_per_second = 1000
	setup.there = UdpLinkConditions.new()
	setup.there.loss = 0.1
	setup.there.latency_msec = 20.0
	setup.back = UdpLinkConditions.new()
	setup.back.loss = 0.1
	return setup


## Both ends and the counters say the same.
func _sent_by(side: LabSide) -> int:
	return side.measures.totals()[&"sent"]


func _check_lost(side: LabSide) -> void:
	var totals := side.measures.totals()
	check(totals[&"lost"] > 0, side.title() + ": none lost")
	check_equal(totals[&"lost"], side.counted()[&"lost"], side.title() + ": lost")
	check_equal(side.counted()[&"received"], totals[&"received"], side.title() + ": received")


## Runs an experiment until nothing more can come, and ends it.
func _run(setup: LabSetup, msec: int) -> Lab:
	var lab := _started(setup)
	_step_for(lab, msec)
	# On a busy machine the thread that sends may have had no turn in that time.
	if setup.pattern == LabPattern.Kind.FILE:
		check(wait_until(_is_file_sent.bind(lab)), "the file is not sent")
	_settle(lab)
	_end(lab)
	return lab


func _is_file_sent(lab: Lab) -> bool:
	lab.step()
	return lab.sides.all(
		func(side: LabSide) -> bool:
			return side.measures.totals()[&"bytes_sent"] >= lab.setup.file_bytes
	)


## Without a tree: it is stepped by hand.
func _started(setup: LabSetup) -> Lab:
	var lab := _started_quietly(setup)
	lab.trouble.connect(func(words: String) -> void: fail("trouble: " + words))
	return lab


func _started_quietly(setup: LabSetup) -> Lab:
	var lab := Lab.new()
	check_equal(lab.start(setup), OK, "start")
	check(wait_until(_is_begun.bind(lab)), "it does not begin")
	return lab


func _is_begun(lab: Lab) -> bool:
	lab.step()
	return lab.seconds() > 0.0


func _is_ended(lab: Lab) -> bool:
	lab.step()
	return not lab.is_running()


func _step_for(lab: Lab, msec: int) -> void:
	var end := lab.seconds() + msec / 1000.0
	var is_over := func() -> bool:
		lab.step()
		return lab.seconds() >= end
	check(wait_until(is_over), "it does not go on")


func _settle(lab: Lab) -> void:
	lab.stop_sending()
	var is_settled := func() -> bool:
		lab.step()
		return lab.is_settled()
	check(wait_until(is_settled), "it does not come to an end")


func _end(lab: Lab) -> void:
	lab.stop()
	lab.queue_free()


## The signals of a Lab, as they come.
func _events_of(lab: Lab) -> Array:
	var events := []
	lab.started.connect(func() -> void: events.append("started"))
	lab.stopped.connect(func() -> void: events.append("stopped"))
	lab.trouble.connect(func(words: String) -> void: events.append(words))
	return events
