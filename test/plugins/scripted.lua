-- A plugin that does what its options say, for test/cases/session-calls.tsv: as scripted.cc does,
-- as far as Lua has it.
local ffi = require('ffi')

local letter_of = {
  [bricks.OPENING] = 'O', [bricks.ACTIVE] = '1', [bricks.PACKET] = '2', [bricks.CLOSING] = 'X',
  [bricks.CONFLICT] = 'C',
}
local letter, actions, children = '', {}, {}

local function worker_init()
  letter = bricks.options.letter
  for word in bricks.options['do']:gmatch('%S+') do
    local event, name, argument = word:match('^(.)%.([^:]+):?(.*)$')
    actions[#actions + 1] = {event = event, name = name, argument = argument}
  end
end

local function number(text)
  return tonumber(text:match('^%d*')) or 0
end

local function set(session, argument)
  local key, value = argument:match('^([^=]*)=(.*)$')
  if key == 'long' then key = ('k'):rep(64) end
  if key == 'longest' then key = ('k'):rep(63) end
  return session:set_metadata(key, value)
end

local function types(session)
  if session:set_metadata('i', ffi.new('int64_t', -7)) ~= 0 then return 1 end
  if session:set_metadata('d', 2.5) ~= 0 then return 2 end
  if session:set_metadata('b', true) ~= 0 or session:set_metadata('n', false) ~= 0 then return 3 end
  if session:set_metadata('s', 'a\0b') ~= 0 then return 4 end
  local i = session:get_metadata('i')
  if not ffi.istype('int64_t', i) or i ~= -7 then return 5 end
  if session:get_metadata('d') ~= 2.5 then return 6 end
  if session:get_metadata('b') ~= true or session:get_metadata('n') ~= false then return 7 end
  if session:get_metadata('s') ~= 'a\0b' then return 8 end
  if session:set_metadata('i', 'text') ~= 0 then return 9 end
  return session:get_metadata('i') == 'text' and 0 or 10
end

local perform = {
  take_over = function(s) return s:take_over() end,
  detach = function(s) return s:detach() end,
  drop = function(s) return s:drop_packet() end,
  lock = function(s) return s:lock() end,
  unlock = function(s) return s:unlock() end,
  lock_as = function(s, n) return s:lock(bricks.number() + number(n)) end,
  unlock_as = function(s, n) return s:unlock(bricks.number() + number(n)) end,
  set = set,
  del = function(s, key) return s:del_metadata(key) end,
  nokey = function(s) return s:set_metadata(nil, '') end,
  kill = function(s) return s:kill() end,
  output = function(s, n) return s:set_output(number(n)) end,
  group = function(s, n) return s:add_group(number(n)) end,
  group_wrong = function(s) return s:add_group(1, 2) end,
  ungroup = function(s, n) return s:remove_group(number(n)) end,
  make_group = function(_, n) return bricks.create_group(number(n), 1000000, 100000) end,
  unmake_group = function(_, n) return bricks.delete_group(number(n)) end,
  bad_group = function(_, n) return bricks.create_group(number(n), 0, 0) end,
  stranger = function(s)
    local other = ffi.new('bricks_session')
    ffi.copy(other, s, ffi.sizeof(other))
    return other:drop_packet()
  end,
  context = function(_, _, e) return e:set({}) or 0 end,
  uncontext = function(_, _, e) return e:set(nil) or 0 end,
  child = function(s, n)
    local child, code = s:open_child(number(n))
    if not child then return code end
    children[#children + 1] = child
    return 0
  end,
  child_meta = function() return children[1]:set_metadata('x', '') end,
  close_child = function() return children[1]:close_child() end,
  close_parent = function(s) return s:close_child() end,
  figure = function(_, n) return bricks.add_figure(n == '0' and 'fives' or 'none', 5) end,
  emit = function(_, text) return bricks.emit(text) end,
  versions = function(_, text, e)
    local before, now = e:versions()
    if tonumber(e.offset) ~= 1 or e:reason_name() ~= 'delivered' then return 1 end
    return before .. '=' .. now == text and 0 or 2
  end,
  throw = function() error('as asked') end,
  throw_int = function() error(7) end,
  fail = function() error({}) end,
  same = function(s)
    local value, code = s:get_metadata('k')
    if not value then return code end
    return s:set_metadata('k', value)
  end,
  flag = function(s) return s:set_metadata('f', '') end,
  hollow = function(s) return s:set_metadata('f', nil) end,
  types = types,
  short = function(s) return s:set_metadata('i', {}) end,
  big = function(s) return s:set_metadata('big', ('x'):rep(17000)) end,
  many = function(s)
    local code = 0
    for i = 0, 32 do
      if code == 0 then code = s:set_metadata('m' .. i, '') end
    end
    return code
  end,
  get_untouched = function(s)
    local value, code = s:get_metadata('none')
    return value == nil and code or 1
  end,
}
local fails = {throw = true, throw_int = true, fail = true}

local function handle(e)
  local session, event = e.session, letter_of[e.type]
  if session.child_type ~= 0 then
    bricks.emit('child=' .. event .. (event == 'X' and tonumber(e.reason) or ''))
    return
  end
  local call = letter .. event
  for _, action in ipairs(actions) do
    if action.event == event and fails[action.name] then call = call .. '!' end
  end
  local calls = session:get_metadata('calls')
  session:set_metadata('calls', calls and calls .. ' ' .. call or call)
  for _, action in ipairs(actions) do
    if action.event == event then
      local act = perform[action.name] or error('no ' .. action.name)
      local code = act(session, action.argument, e)
      if code ~= 0 then bricks.emit(event .. '.' .. action.name .. '=' .. code) end
    end
  end
end

return {
  name = 'scripted',
  summary = 'does what its options say',
  options = {
    letter = {type = 'text', summary = 'what it is called in "calls"', preset = '?'},
    ['do'] = {type = 'text', summary = 'list of EVENT.ACTION[:ARGUMENTS]', preset = ''},
    file = {type = 'text', summary = 'where results go', preset = ''},
  },
  figures = {'fives'},
  worker_init = worker_init,
  on_opening = handle,
  on_active = handle,
  on_packet = handle,
  on_closing = handle,
  on_conflict = handle,
}
