-- What a Lua plugin sees: views of events, sessions and packets, and the calls it may make. Run
-- once in each state, before lua_driver.lua. `call`: struct bricks_lua_call, shared with C.
local cdefs, call_address = ...

local ffi, bit = require('ffi'), require('bit')
local cast, cstring, typeof = ffi.cast, ffi.string, ffi.typeof
local error, type, pairs, tostring, tonumber = error, type, pairs, tostring, tonumber
local format, rshift, bswap, istype = string.format, bit.rshift, bit.bswap, ffi.istype

ffi.cdef(cdefs)
local call = cast('struct bricks_lua_call *', call_address)
local C = ffi.C
local bricks = {options = {}}

-- Names of C's enums -------------------------------------------------------------------------

local function names_of(prefix, list)
  local numbers, names = {}, {}
  for name in list:gmatch('%S+') do
    local number = tonumber(C[prefix .. name])
    numbers[name], names[number] = number, name:lower()
  end
  return numbers, names
end
local EVENTS = 'OPENING ACTIVE PACKET PAYLOAD GAP PROTOCOL CLOSING CONFLICT'
local event_numbers, event_names = names_of('BRICKS_EVENT_', EVENTS)
local _, state_names = names_of('BRICKS_SESSION_', 'OPENING ACTIVE CLOSING CLOSED')
local _, close_names = names_of(
  'BRICKS_CLOSE_',
  'NONE FIN RST TIMEOUT_OPENING TIMEOUT_ACTIVE TIMEOUT_CLOSING EVICTED_LRU EVICTED_MEMCAP ' ..
    'REUSED_TUPLE PLUGIN_KILL POISONED ADMIN SHUTDOWN EOF PARENT'
)
local _, gap_names =
  names_of('BRICKS_GAP_', 'ACK_PASSED CAP FLUSH TIMEOUT MIDSTREAM DEPTH URGENT')
local _, conflict_names = names_of('BRICKS_CONFLICT_', 'DELIVERED WAITING')
local PROTOCOLS = 'DNS HTTP TLS QUIC SSH SIP RTP FTP DHCP NTP'
local protocol_numbers, protocol_names = names_of('BRICKS_PROTOCOL_', PROTOCOLS)
local errors, error_names = names_of(
  'BRICKS_',
  'DONE EPERM ENOENT ENOMEM EBUSY EEXIST EINVAL ENOTSUP EALREADY ESTATE ENOCTX'
)
for name, number in pairs(errors) do
  bricks[name] = number
end
for name, number in pairs(event_numbers) do
  bricks[name] = number
end
function bricks.error_name(number)
  local name = error_names[number]
  return name and name:upper() or tostring(number)
end

-- Records of decoders ------------------------------------------------------------------------

local records = {}
for name, struct in pairs({
  DNS = 'dns', HTTP_REQUEST = 'http', HTTP_RESPONSE = 'http', HTTP_BODY = 'http_body',
  HTTP_END = 'http_body', TLS_CLIENT_HELLO = 'tls_client_hello',
  TLS_SERVER_HELLO = 'tls_server_hello', QUIC_INITIAL = 'quic_initial',
  SSH_BANNER = 'ssh_banner', SSH_KEXINIT = 'ssh_kexinit', SIP_REQUEST = 'sip',
  SIP_RESPONSE = 'sip', RTP = 'rtp', RTCP = 'rtcp', FTP_COMMAND = 'ftp', FTP_REPLY = 'ftp',
  DHCP4 = 'dhcp4', DHCP6 = 'dhcp6', NTP = 'ntp',
}) do
  local number = tonumber(C['BRICKS_RECORD_' .. name])
  records[number] = typeof('const struct bricks_' .. struct .. ' *')
  bricks[name] = number
end
ffi.metatype('struct bricks_text', {
  __tostring = function(text)
    return cstring(text.data, text.length)
  end,
  __len = function(text)
    return text.length
  end,
})

-- Contexts: C keeps a number for each session, the value is in `values`. C gives numbers back on
-- the list `freed`, at moments when no Lua may run.
local values, spare, made, top = {}, {}, 0, 0
local slot_type = typeof('int32_t *')

local function release(index)
  values[index] = false
  top = top + 1
  spare[top] = index
end
local function take_back()
  for i = 0, call.freed_count - 1 do
    release(call.freed[i])
  end
  call.freed_count = 0
end

-- Events -------------------------------------------------------------------------------------

local event = {}
-- This plugin's value of the session.
function event.get(e)
  local index = cast(slot_type, e.context)[0]
  if index ~= 0 then return values[index] end
  return nil
end
function event.set(e, value)
  local slot = cast(slot_type, e.context)
  local index = slot[0]
  if value == nil then
    if index ~= 0 then
      slot[0] = 0
      release(index)
    end
  else
    if index == 0 then
      if top > 0 then
        index = spare[top]
        top = top - 1
      else
        made = made + 1
        index = made
      end
      slot[0] = index
    end
    values[index] = value
  end
end
-- The bytes at `data`, as a string: PACKET, PAYLOAD.
function event.payload(e)
  return cstring(e.data, e.length)
end
-- What a decoder has read: a pointer to the struct that `kind` names (PROTOCOL).
function event.record(e)
  local kind = records[e.kind]
  if e.type ~= C.BRICKS_EVENT_PROTOCOL or not kind then return nil end
  return cast(kind, e.data)
end
-- Both versions of the bytes, as strings (CONFLICT): what was there, what the segment brings.
local conflict_type = typeof('const bricks_conflict *')
function event.versions(e)
  if e.type ~= C.BRICKS_EVENT_CONFLICT then return nil end
  local conflict = cast(conflict_type, e.data)
  return cstring(conflict.before, e.length), cstring(conflict.now, e.length)
end
function event.type_name(e)
  return event_names[e.type]
end
function event.reason_name(e)
  if e.type == C.BRICKS_EVENT_GAP then return gap_names[e.reason] end
  if e.type == C.BRICKS_EVENT_CONFLICT then return conflict_names[e.reason] end
  return close_names[e.reason]
end
-- Seconds since 1970.
function event.time(e)
  if e.packet ~= nil then return tonumber(e.packet.timestamp) / 1e9 end
  return tonumber(e.session.last_seen) / 1e9
end
-- Community ID, version 1. ICMP has its type and code in it: ask with a packet.
local id_text = ffi.new('char[32]')
function event.community_id(e)
  call.community_id(e, id_text)
  return cstring(id_text)
end
local packet = {}
function packet.bytes(p)
  return cstring(p.data, p.length)
end

-- Sessions -----------------------------------------------------------------------------------

local session = {}
local text = ffi.new('char[64]')
local function address(s, side)
  if s.ip_version == 4 then
    local a = s.flow.address[side]
    return format('%d.%d.%d.%d', a[0], a[1], a[2], a[3])
  elseif s.ip_version == 6 then
    return cstring(C.inet_ntop(10, s.flow.address[side], text, 64)) -- 10: AF_INET6
  end
  return ''
end
local function port(s, side)
  return rshift(bswap(s.flow.port[side]), 16)
end
-- Who opened it is the source.
function session.source_address(s)
  return address(s, 0)
end
function session.destination_address(s)
  return address(s, 1)
end
function session.source_port(s)
  return port(s, 0)
end
function session.destination_port(s)
  return port(s, 1)
end
function session.state_name(s)
  return state_names[s.state]
end
function session.close_name(s)
  return close_names[s.close_reason]
end
function session.application_name(s)
  return protocol_names[s.flow.application]
end

local function host()
  local h = call.host
  if h == nil then error('the host is there from init on, not while the file is read', 3) end
  return h
end
-- No more events of this session; what event:set has kept of it goes, too.
function session.detach(s)
  local at = call.mark.at
  at = at < 0 and call.at or call.first + at
  if at >= call.count or call.events[at].session ~= s then
    at = 0
    while at < call.count and call.events[at].session ~= s do
      at = at + 1
    end
  end
  local code = host().detach_me(s)
  if code == 0 and at < call.count then event.set(call.events[at], nil) end
  return code
end
function session.take_over(s)
  return host().take_over(s)
end
function session.drop_packet(s)
  return host().drop_packet(s)
end
function session.add_group(s, group, direction)
  return host().add_group(s, group, direction or -1)
end
function session.remove_group(s, group)
  return host().remove_group(s, group)
end
function session.lock(s, plugin)
  return host().lock(s, plugin or call.plugin)
end
function session.unlock(s, plugin)
  return host().unlock(s, plugin or call.plugin)
end
function session.set_output(s, output)
  return host().set_output(s, output)
end
function session.kill(s)
  return host().kill(s)
end
local child = ffi.new('bricks_session *[1]')
function session.open_child(s, kind)
  local code = host().open_child(s, kind or 0, child)
  if code ~= 0 then return nil, code end
  return child[0]
end
function session.close_child(s)
  return host().close_child(s)
end

-- Metadata -----------------------------------------------------------------------------------

local pointer, bytes_type = typeof('void *'), typeof('const char *')
local integer_type, number_type = typeof('int64_t *'), typeof('double *')
local boolean_type = typeof('uint8_t *')
local integer, number, boolean =
  ffi.new('int64_t[1]'), ffi.new('double[1]'), ffi.new('uint8_t[1]')
local got_type, got_value, got_size =
  ffi.new('bricks_value_type[1]'), ffi.new('void *[1]'), ffi.new('size_t[1]')
local int64, uint64 = typeof('int64_t'), typeof('uint64_t')

local function good_key(key)
  return type(key) == 'string' and not key:find('\0', 1, true)
end
-- value: string, number, boolean, or int64_t.
function session.set_metadata(s, key, value)
  if not good_key(key) then return C.BRICKS_EINVAL end
  local kind = type(value)
  local set = host().set_metadata
  if kind == 'string' then
    return set(s, key, C.BRICKS_BYTES, cast(pointer, cast(bytes_type, value)), #value, nil)
  elseif kind == 'number' then
    number[0] = value
    return set(s, key, C.BRICKS_NUMBER, number, 8, nil)
  elseif kind == 'boolean' then
    boolean[0] = value and 1 or 0
    return set(s, key, C.BRICKS_BOOLEAN, boolean, 1, nil)
  elseif kind == 'cdata' and (istype(int64, value) or istype(uint64, value)) then
    integer[0] = value
    return set(s, key, C.BRICKS_INTEGER, integer, 8, nil)
  end
  return C.BRICKS_EINVAL
end
-- The value, or nil and the error. BRICKS_OPAQUE: a void pointer, and how many bytes are there.
function session.get_metadata(s, key)
  if not good_key(key) then return nil, C.BRICKS_EINVAL end
  local code = host().get_metadata(s, key, got_type, got_value, got_size)
  if code ~= 0 then return nil, code end
  local kind, value = tonumber(got_type[0]), got_value[0]
  if kind == C.BRICKS_BYTES then return cstring(value, got_size[0]) end
  if kind == C.BRICKS_NUMBER then return cast(number_type, value)[0] end
  if kind == C.BRICKS_BOOLEAN then return cast(boolean_type, value)[0] ~= 0 end
  if kind == C.BRICKS_INTEGER then return cast(integer_type, value)[0] end
  return value, tonumber(got_size[0])
end
function session.del_metadata(s, key)
  if not good_key(key) then return C.BRICKS_EINVAL end
  return host().del_metadata(s, key)
end

ffi.metatype('bricks_event', {__index = event})
ffi.metatype('bricks_packet_view', {__index = packet})
-- What is of its flow is the session's, too: s.id, s.application.
ffi.metatype('bricks_session', {
  __index = function(s, key)
    return session[key] or s.flow[key]
  end,
})

-- The process --------------------------------------------------------------------------------

local figure_numbers = {}
function bricks.add_figure(name, value)
  local figure = figure_numbers[name]
  if not figure then return C.BRICKS_ENOENT end
  return host().add_figure(call.plugin, figure, value or 1)
end
-- The plugin's own, as lock() takes it.
function bricks.number()
  return call.plugin
end
function bricks.emit(line)
  return host().emit(call.plugin, line, #line)
end
function bricks.create_group(group, bytes_per_second, burst_bytes)
  return host().create_group(group, bytes_per_second, burst_bytes)
end
function bricks.delete_group(group)
  return host().delete_group(group)
end

package.loaded.bricks, _G.bricks = bricks, bricks
return {
  call = call,
  api = bricks,
  events = event_numbers,
  protocols = protocol_numbers,
  figures = figure_numbers,
  forget = function(e)
    return event.set(e, nil)
  end,
  take_back = take_back,
}
