extends RefCounted
## Which systems have what a test needs. Wine answers as Windows does, but its sockets are those of
## the system below it, so it is a system of its own here.

const LINUX := "Linux"
const WINDOWS := "Windows"
const WINE := "Wine"

## What a test may need: the systems that have it, or those that do not, and the reason that a
## skipped test shows.
const CAPABILITIES: Dictionary[StringName, Dictionary] = {
	&"process figures":
	{
		"on": [LINUX],
		"why": "threads, memory, processor time and open files are read from Linux' /proc",
	},
	&"descriptor limit":
	{"on": [LINUX], "why": "needs a limit of open files that a test can reach (ulimit -n)"},
	&"kernel drops":
	{"on": [LINUX], "why": "only Linux tells how many packets a socket has dropped"},
	&"kernel buffers":
	{"on": [LINUX], "why": "needs a receive buffer whose size the system grants as Linux does"},
	&"shared ports":
	{
		"on": [LINUX],
		"why": "which sockets may share a port, and which one receives, is Linux' rule"
	},
	&"group limits": {"on": [LINUX], "why": "the limits of groups that are named are Linux'"},
	&"link scopes":
	{"on": [LINUX, WINE], "why": "that a link-local address needs its interface is Linux' rule"},
	&"loopback routes":
	{"on": [LINUX, WINE], "why": "what a loopback address reaches is Linux' rule"},
	&"loopback broadcasts":
	{"on": [LINUX, WINE], "why": "needs a broadcast address of the loopback interface"},
	&"loopback groups": {"on": [LINUX, WINE], "why": "needs multicasts on the loopback interface"},
	&"own groups":
	{
		"on": [LINUX],
		"why": "needs a socket that receives only the groups it has joined (IP_MULTICAST_ALL)",
	},
	&"guarded connecting":
	{
		"on": [LINUX],
		"why": "connecting to a broadcast address needs set_broadcast_enabled(true) on Linux only",
	},
	&"observer": {"on": [LINUX], "why": "what a receiver sees needs Python on Linux to tell"},
	&"ip": {"on": [LINUX], "why": "needs ip (iproute2) to compare with"},
	&"many loopback addresses":
	{"on": [LINUX, WINDOWS, WINE], "why": "loopback has one address here"},
	&"refusals":
	{
		"not_on": [WINDOWS, WINE],
		"why": "on Windows the addon asks for no reports of refused packets (SIO_UDP_CONNRESET)",
	},
	&"reuse_port": {"not_on": [WINDOWS, WINE], "why": "Windows has no such option"},
	&"shared servers":
	{"not_on": [WINDOWS, WINE], "why": "on Windows a server shares its port with none by default"},
	&"late reuse_address":
	{"not_on": [WINDOWS, WINE], "why": "Windows refuses reuse_address once a socket is bound"},
	&"IPv6 traffic class":
	{"not_on": [WINDOWS, WINE], "why": "Windows has no traffic class over IPv6"},
	&"unresolvable empty name":
	{"not_on": [WINDOWS, WINE], "why": "Windows resolves an empty name to this machine"},
	&"interface names":
	{"not_on": [WINDOWS, WINE], "why": "on Windows an interface is written as its number"},
	&"error texts": {"not_on": [WINE], "why": "Wine has no texts for the errors of sockets"},
	&"source addresses":
	{
		"not_on": [WINE],
		"why": "Wine ignores the source address that a packet is sent with (WSASendMsg)",
	},
	&"second family":
	{
		"not_on": [WINE],
		"why":
		"Wine keeps the source address of a socket that connects to the other address family",
	},
	&"many polled sockets":
	{
		"not_on": [WINE],
		"why": "on Windows the addon looks at all sockets ten times a second; Wine is slow at it"
	},
	&"refused port 0":
	{"not_on": [WINE], "why": "Wine drops what is sent to port 0 and reports OK"},
}


## The system that the tests run on.
static func system() -> String:
	# Wine sets this variable for its programs.
	var is_wine := OS.get_name() == WINDOWS and OS.has_environment("WINEHOMEDIR")
	return WINE if is_wine else OS.get_name()


static func has(capability: StringName) -> bool:
	var entry := CAPABILITIES[capability]
	if "on" in entry:
		return system() in entry.on
	return not system() in entry.not_on


## Why a test that needs [param capability] is skipped here.
static func reason(capability: StringName) -> String:
	return CAPABILITIES[capability].why
