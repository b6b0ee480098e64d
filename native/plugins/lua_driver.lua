-- How a Lua plugin is read, what it is bounded by, and how its functions are called with events.
local host, door, read_file = ...

local ffi = require('ffi')
local call = host.call
local error, type, pairs, ipairs, tostring = error, type, pairs, ipairs, tostring
local setfenv, format, concat, sort = setfenv, string.format, table.concat, table.sort

-- Budget: spent once, it stays spent until the next event; a pcall of the plugin's own gets no
-- further than to its next loop or call.
ffi.metatype('struct bricks_lua_call', {
  __index = {
    over = function()
      error(format('budget: %d loops and calls for one event are used up', call.limit), 3)
    end,
  },
})

-- Doors for more code: all of it gets the checks, bytecode stays outside.
local function load_text(source, name, env)
  local chunk, why = door(source, name)
  if not chunk then return nil, why end
  chunk = chunk(call)
  if env then setfenv(chunk, env) end
  return chunk
end
function load(chunk, name, mode, env)
  if mode and not tostring(mode):find('t', 1, true) then
    return nil, 'load: bytecode is not taken, mode has to have a t'
  end
  if type(chunk) == 'function' then
    local pieces = {}
    for piece in chunk do
      if piece == '' then break end
      pieces[#pieces + 1] = piece
    end
    chunk = concat(pieces)
  end
  if type(chunk) ~= 'string' then error('load takes text, or a function that gives it', 2) end
  return load_text(chunk, name or '=load', env)
end
loadstring = load
function loadfile(path, mode, env)
  local source, why = read_file(tostring(path))
  if not source then return nil, why end
  return load(source, '@' .. path, mode, env)
end
function dofile(path)
  local chunk, why = loadfile(path)
  if not chunk then error(why, 2) end
  return chunk()
end

-- `require` finds modules beside the plugin's file; libraries of C come by ffi.load.
local preload = package.loaders[1]
package.loaders[2] = function(name)
  local path = tostring(name):gsub('%.', '/') .. '.lua'
  local source, why = read_file(path)
  if not source then return '\n\t' .. why end
  local chunk, wrong = load_text(source, '@' .. path)
  if not chunk then error(wrong, 0) end
  return chunk
end
package.loaders[3], package.loaders[4] = nil, nil
package.path, package.cpath, package.loadlib = '', '', nil

-- Sorting without a function of the plugin's own would be C alone, and a list can be made for which
-- that takes the square of its length: each comparison counts as a call.
local native_sort = table.sort
local counted = load_text([[
  local native_sort = ...
  return function(list, less)
    if less == nil then return native_sort(list, function(a, b) return a < b end) end
    if type(less) ~= 'function' then return native_sort(list, less) end
    return native_sort(list, function(a, b) return less(a, b) end)
  end]], '=sort')
table.sort = counted(native_sort)

local function refused(name)
  return function()
    error(name .. ' is the daemon\'s own business', 2)
  end
end
os.exit, os.setlocale = refused('os.exit'), refused('os.setlocale')
debug = {traceback = debug.traceback, getinfo = debug.getinfo}
package.loaded.debug = debug

-- What the file returns ----------------------------------------------------------------------

local function wrong(message, ...)
  error(format(message, ...), 0)
end
local function expect(where, value, kind, optional)
  if value == nil and optional then return end
  if type(value) ~= kind then wrong('%s is to be a %s, not a %s', where, kind, type(value)) end
end
local handlers_of = {} -- on_packet -> 2
for name, number in pairs(host.events) do
  handlers_of['on_' .. name:lower()] = number
end
local fields = {
  name = 'string', summary = 'string', options = 'table', figures = 'table', protocols = 'table',
  batch = 'table', loops = 'number', memory = 'number', on_batch = 'function', init = 'function',
  exit = 'function', worker_init = 'function', worker_exit = 'function',
}
for name in pairs(handlers_of) do
  fields[name] = 'function'
end
local kinds = {text = 's', number = 'n', boolean = 'b'}

local function read_options(options)
  local list = {}
  for name, option in pairs(options) do
    expect('the name of an option', name, 'string')
    local where = format('options.%s', name)
    expect(where, option, 'table')
    local letter = kinds[option.type]
    if not letter then wrong('%s.type is to be "text", "number" or "boolean"', where) end
    for key in pairs(option) do
      if key ~= 'type' and key ~= 'summary' and key ~= 'preset' then
        wrong('%s has an unknown key %s; there are type, summary and preset', where, key)
      end
    end
    expect(where .. '.summary', option.summary, 'string', true)
    local preset = option.preset
    local lua_type = option.type == 'text' and 'string' or option.type
    expect(where .. '.preset', preset, lua_type, true)
    if type(preset) == 'number' then preset = format('%.17g', preset) end
    if preset ~= nil then preset = tostring(preset) end
    list[#list + 1] =
      {name = name, summary = option.summary or '', type = letter, preset = preset}
  end
  sort(list, function(a, b)
    return a.name < b.name
  end)
  return list
end

-- A list of names, as bits.
local function bits_of(where, names, numbers)
  local bits = 0
  for _, name in ipairs(names) do
    expect(where .. "'s entries", name, 'string')
    local number = numbers[name:upper()]
    if not number then wrong('%s has an unknown name %s', where, name) end
    bits = bit.bor(bits, bit.lshift(1, number))
  end
  return bits
end

-- Checks what the plugin's file has returned and says it in C's terms.
local function describe(plugin)
  if type(plugin) ~= 'table' then
    wrong('the file is to return a table: return {on_packet = function(event) ... end}')
  end
  for key, value in pairs(plugin) do
    local kind = fields[key]
    if not kind then wrong('unknown key %s', tostring(key)) end
    expect(tostring(key), value, kind)
  end
  if plugin.batch and not plugin.on_batch then wrong('batch is for on_batch, which is missing') end
  local batch = 0
  if plugin.on_batch then batch = bits_of('batch', plugin.batch or {'packet'}, host.events) end
  local events = batch
  for name, number in pairs(handlers_of) do
    if plugin[name] then events = bit.bor(events, bit.lshift(1, number)) end
  end
  if events == 0 then wrong('it has no function for any event: on_opening, on_packet, ...') end
  local protocols = -1
  if plugin.protocols then protocols = bits_of('protocols', plugin.protocols, host.protocols) end
  if bit.band(events, bit.lshift(1, host.events.PROTOCOL)) == 0 then protocols = 0 end
  local figures = plugin.figures or {}
  for key in pairs(figures) do
    if type(key) ~= 'number' or key > #figures then
      wrong('figures is to be a list without gaps, and has a key %s', tostring(key))
    end
  end
  for index = 1, #figures do
    expect('figures[' .. index .. ']', figures[index], 'string')
    host.figures[figures[index]] = index - 1
  end
  return {
    name = plugin.name, summary = plugin.summary or '', events = events, protocols = protocols,
    batch = batch, loops = plugin.loops, memory = plugin.memory,
    options = read_options(plugin.options or {}), figures = figures,
  }
end

-- Calls --------------------------------------------------------------------------------------

-- The function that C calls for each array of events. It fills in `call.at` as it goes.
local function driver(plugin, batch)
  local handlers, batched = {}, {}
  for name, number in pairs(handlers_of) do
    handlers[number] = plugin[name]
    batched[number] = bit.band(batch, bit.lshift(1, number)) ~= 0
  end
  -- With its last event a session's value goes.
  local closing, forget, number = plugin.on_closing, host.forget, host.events.CLOSING
  if closing then
    handlers[number] = function(e)
      closing(e)
      forget(e)
    end
  end
  local take_back = host.take_back
  if not plugin.on_batch then
    return function()
      if call.freed_count > 0 then take_back() end
      local events, count = call.events, call.count
      for at = 0, count - 1 do
        call.at = at
        call.left = call.limit
        local e = events[at]
        handlers[e.type](e)
      end
    end
  end
  local on_batch, mark = plugin.on_batch, call.mark
  local forgets = batched[number]
  local function give(events, at, past)
    call.left = call.limit
    -- Which one fails is the plugin's to say; who does not is taken to have come to the last.
    call.first, call.at, mark.at = at, past - 1, -1
    on_batch(events + at, past - at, mark)
    if forgets then
      for i = at, past - 1 do
        if events[i].type == number then forget(events[i]) end
      end
    end
    mark.at = -1
  end
  return function()
    if call.freed_count > 0 then take_back() end
    local events, count = call.events, call.count
    local at = call.batched -- mostly all of them: C looks faster
    if at > 0 then give(events, 0, at) end
    while at < count do
      local kind = events[at].type
      if batched[kind] then
        local past = at + 1
        while past < count and batched[events[past].type] do
          past = past + 1
        end
        give(events, at, past)
        at = past
      else
        call.left = call.limit
        call.at = at
        local e = events[at]
        handlers[kind](e)
        at = at + 1
      end
    end
  end
end

return {
  run = function(source, name)
    local chunk, why = load_text(source, name)
    if not chunk then error(why, 0) end
    return chunk()
  end,
  describe = describe,
  driver = driver,
}
