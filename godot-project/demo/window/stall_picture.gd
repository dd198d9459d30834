extends "picture_session.gd"
## The game frozen once, and what came of it.

const StallClaims := preload("../scripted/stall_claims.gd")

## The first frames take longer.
const FIRST_FRAMES := 5


func perform() -> void:
	var page := sample.stall_page
	for i in FIRST_FRAMES:
		await get_tree().process_frame
	# Without a graphics card a frame takes so long to draw that PacketPeerUDP would lose packets
	# before the freeze. Rendering is not needed here.
	RenderingServer.render_loop_enabled = false
	page.freeze()
	await until(func() -> bool: return not page.stall.is_running(), StallClaims.RUN_MSEC)
	RenderingServer.render_loop_enabled = true
	StallClaims.new(claims).check(page.stall)
