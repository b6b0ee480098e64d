-- The test of NAME: run it by ./test. A thousand packets of ten flows go through the plugin.
local function run(options)
  local engine = PktEngine.new('NAME-test')
  local session =
    Brick.new('Session', {midstream = true, plugins = {{path = 'FILE', options = options}}})
  session:connect_input('gen:60?flows=10&count=1000')
  session:connect_output('null:')
  engine:link(session)
  engine:start()
  engine:wait()
  engine:stop()
  local counts = session:plugins()[1].counts
  engine:delete()
  return counts
end

local function expect(what, is, wanted)
  if is ~= wanted then error(('%s: %s, not %s'):format(what, is, wanted), 0) end
  print(('ok: %s: %s'):format(what, is))
end

local all = run({})
expect('packets', all.packets, 1000)
expect('dropped', all.dropped, 0)
expect('errors', all.errors, 0)
expect('leaks', all.ctx_leaks, 0)

local none = run({longest = 50})
expect('packets dropped as too long', none.dropped, 1000)
