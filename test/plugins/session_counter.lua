-- As session_counter.c, by arrays of events: the context is the count itself.
local ffi = require('ffi')
local count_type = ffi.typeof('int64_t *')

local function on_batch(events, count, mark)
  for i = 0, count - 1 do
    mark.at = i
    local event = events[i]
    local bytes = ffi.cast(count_type, event.context)
    bytes[0] = bytes[0] + event.packet.wire_length
  end
  bricks.add_figure('packets', count)
end

return {
  name = 'counter',
  summary = 'counts packets and bytes of each session',
  figures = {'opening', 'closing', 'packets'},
  on_batch = on_batch,
  on_opening = function()
    bricks.add_figure('opening')
  end,
  on_closing = function(event)
    ffi.cast(count_type, event.context)[0] = 0
    bricks.add_figure('closing')
  end,
}
