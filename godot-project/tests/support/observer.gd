extends RefCounted
## A program that receives packets and reports what no peer can read: hop limit, traffic class and
## interface of each. See observer.py.

const GROUP := "239.255.77.5"
const GROUP_6 := "ff02::4d05"
const PYTHON := "python3"
const PROGRAM := "res://tests/support/observer.py"
const TIMEOUT_MSEC := 30_000

## The ports where it listens; 0 where it does not.
var ipv4_port := 0
var ipv6_port := 0

var _reports := PacketPeerUDP.new()
var _process := -1


## Whether it runs and listens.
func start(interface: String) -> bool:
	# The engine prints an error for a program that does not exist, so look for it first.
	var folders := OS.get_environment("PATH").split(":")
	if not Array(folders).any(
		func(folder: String) -> bool: return FileAccess.file_exists(folder.path_join(PYTHON))
	):
		return false
	_reports.bind(0, "127.0.0.1", 1 << 20)
	var arguments := [ProjectSettings.globalize_path(PROGRAM), str(_reports.get_local_port())]
	_process = OS.create_process(PYTHON, arguments + [GROUP, GROUP_6, interface])
	var ports := report()
	ipv4_port = ports.get("ipv4", 0)
	ipv6_port = ports.get("ipv6", 0)
	return ipv4_port != 0


## Starts it for a test; skips the test where that is not possible.
func start_for(suite: RefCounted) -> bool:
	if not suite.needs(&"observer"):
		return false
	if not start(suite.loopback_interface()):
		suite.skip("what a receiver sees needs Python to tell")
		return false
	return true


## The next report; empty if none arrives.
func report() -> Dictionary:
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while _reports.get_available_packet_count() < 1:
		if _process < 0 or Time.get_ticks_msec() > deadline:
			return {}
		OS.delay_usec(200)
	return JSON.parse_string(_reports.get_packet().get_string_from_utf8())


## Makes it send "hello" to a port on loopback, in the family of [param address].
func request_hello(port: int, address := "127.0.0.1") -> void:
	var asking := PacketPeerUDP.new()
	asking.set_dest_address(address, ipv6_port if ":" in address else ipv4_port)
	asking.put_packet(("hello %d" % port).to_ascii_buffer())


func stop() -> void:
	if _process > 0:
		OS.kill(_process)
	_process = -1
