-- As session_counter.lua, event by event, with a value of Lua's for each session.
return {
  name = 'counter',
  summary = 'counts bytes of each session',
  on_opening = function(event)
    event:set(0)
  end,
  on_packet = function(event)
    event:set(event:get() + event.packet.wire_length)
  end,
}
