extends "helper_process.gd"
## The far host of the network tests: one process (network/far_end.py, in the namespace "far") for
## all of them.

const FarSocket := preload("far_socket.gd")
const PROGRAM := "res://tests/network/far_end.py"

var _opened := 0


func _init() -> void:
	super(PROGRAM, ["ip", "netns", "exec", "far"])


## A socket on the far host, bound to [param address], which decides the family, and a free port.
func open(address := "0.0.0.0", port := 0) -> FarSocket:
	_opened += 1
	var socket := FarSocket.new()
	socket.name = str(_opened)
	socket.host = self
	socket.port = int(
		ask({"do": "open", "name": socket.name, "address": address, "port": port}).port
	)
	return socket


## Closes all sockets of the far host.
func reset() -> void:
	ask({"do": "reset"})


## Sends a request to the far host and returns its answer. If there is none, an error is printed,
## which fails the test, and the answer is one that no test expects.
func ask(request: Dictionary, msec := 0) -> Dictionary:
	var answer: Dictionary = {"port": 0, "packets": []}
	answer.merge(super(request, msec), true)
	return answer
