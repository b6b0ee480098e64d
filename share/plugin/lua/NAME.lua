-- NAME: counts sessions and their packets. Docs: docs/plugins.md, docs/plugins-lua.md.
local function on_opening(event)
  event:set({packets = 0}) -- anything of yours; it lives as long as the session
  bricks.add_figure('sessions')
end

local function on_packet(event)
  local mine = event:get()
  mine.packets = mine.packets + 1
  bricks.add_figure('packets')
  if event.packet.wire_length > bricks.options.longest then
    event.session:drop_packet()
    bricks.add_figure('dropped')
  end
end

local function on_closing(event)
  local session = event.session
  bricks.emit(('%s %d packets, %s'):format(
    session:source_address(), event:get().packets, event:reason_name()))
end

return {
  name = 'NAME',
  summary = 'counts sessions and their packets',
  options = {
    longest = {type = 'number', preset = 65535, summary = 'bytes; longer packets are dropped'},
    file = {type = 'text', preset = '', summary = 'where a line for each session goes'},
  },
  figures = {'sessions', 'packets', 'dropped'},
  on_opening = on_opening,
  on_packet = on_packet,
  on_closing = on_closing,
}
