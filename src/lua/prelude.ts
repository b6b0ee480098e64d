/**
 * What scripts written for Lua 5.1 expect and Lua 5.3 has no more, in Lua itself. Functions have
 * their environment in an upvalue named _ENV: setfenv gives the function a new one.
 */
export const prelude = `
local debug, table, string, math, os = debug, table, string, math, os

unpack = table.unpack
loadstring = function(code, name) return load(code, name or code) end

function table.getn(list) return #list end
function table.maxn(list)
  local most = 0
  for key in pairs(list) do
    if type(key) == "number" and key > most then most = key end
  end
  return most
end
function table.foreach(list, call)
  for key, value in pairs(list) do
    local result = call(key, value)
    if result ~= nil then return result end
  end
end
function table.foreachi(list, call)
  for index = 1, #list do
    local result = call(index, list[index])
    if result ~= nil then return result end
  end
end

function math.pow(base, exponent) return base ^ exponent end
function math.log10(number) return math.log(number, 10) end
function math.mod(number, divisor) return math.fmod(number, divisor) end
function math.ldexp(mantissa, exponent) return mantissa * 2.0 ^ exponent end
function math.cosh(x) return (math.exp(x) + math.exp(-x)) / 2 end
function math.sinh(x) return (math.exp(x) - math.exp(-x)) / 2 end
function math.tanh(x) return math.sinh(x) / math.cosh(x) end
string.gfind = string.gmatch

local function environment_of(call)
  local index = 1
  while true do
    local name, value = debug.getupvalue(call, index)
    if name == nil then return nil end
    if name == "_ENV" then return index, value end
    index = index + 1
  end
end

local function function_at(place, what)
  if type(place) == "function" then return place end
  if type(place) ~= "number" or place < 0 then
    error("bad argument #1 to '" .. what .. "' (a function or a level expected)", 3)
  end
  local info = place > 0 and debug.getinfo(place + 2, "f")
  if place > 0 and not info then
    error("bad argument #1 to '" .. what .. "' (no function at level " .. place .. ")", 3)
  end
  return info and info.func
end

function getfenv(place)
  local call = function_at(place == nil and 1 or place, "getfenv")
  if not call then return _G end
  local _, environment = environment_of(call)
  return environment or _G
end

function setfenv(place, environment)
  local call = function_at(place, "setfenv")
  if type(environment) ~= "table" then
    error("bad argument #2 to 'setfenv' (table expected, got " .. type(environment) .. ")", 2)
  end
  local index = call and environment_of(call)
  if index then debug.upvaluejoin(call, index, function() return environment end, 1) end
  return call
end

function module(name, ...)
  local result = package.loaded[name]
  if type(result) ~= "table" then
    result = _G
    for part in string.gmatch(name, "[^.]+") do
      if result[part] == nil then result[part] = {} end
      result = result[part]
    end
    package.loaded[name] = result
  end
  result._M, result._NAME = result, name
  result._PACKAGE = string.match(name, "^(.*%.)[^.]*$") or ""
  for _, option in ipairs({...}) do option(result) end
  setfenv(2, result)
end
function package.seeall(result) setmetatable(result, { __index = _G }) end
package.loaders = package.searchers

local heap_kilobytes = os.heap_kilobytes
os.heap_kilobytes = nil
gcinfo = heap_kilobytes
-- Memory is JavaScript's to collect: asking for it is allowed and changes nothing.
function collectgarbage(what)
  if what == "count" then return heap_kilobytes() end
  if what == nil or what == "collect" or what == "step" or what == "stop" or what == "restart"
    or what == "setpause" or what == "setstepmul" then
    return 0
  end
  error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(what) .. "')", 2)
end

local date, utc_offset = os.date, os.utc_offset
os.utc_offset = nil
function os.date(format, time)
  if type(format) == "string" and string.sub(format, 1, 1) == "!"
    and string.sub(format, 2, 3) ~= "*t" then
    time = time or os.time()
    return date(string.sub(format, 2), time + utc_offset(time))
  end
  return date(format, time)
end
`;
