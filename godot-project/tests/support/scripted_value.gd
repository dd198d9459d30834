extends Resource
## An object that runs [member hook] while it is decoded: with the value of [member first], when
## that is set, and before [member second] is read.

static var hook: Callable

@export var first := 0:
	set(value):
		first = value
		if hook.is_valid():
			hook.call(value)
@export var second := ""
