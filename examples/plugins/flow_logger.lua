-- A flow logger: one line of JSON for each session that has ended, with the fields of Zeek's
-- conn.log and the Community ID.
--
--   Brick.new("Session", {plugins = {{path = "flow_logger.lua", options = {file = "conn.log"}}}})
local bit = require('bit')
local band, bor, lshift = bit.band, bit.bor, bit.lshift
local FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
local ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
local DEPTH, MIDSTREAM = 6, 5 -- gaps that are no loss

local function be16(data, at)
  return data[at] * 256 + data[at + 1]
end

local function be32(data, at)
  return be16(data, at) * 65536 + be16(data, at + 2)
end

-- Types of ICMP that are asked and answered, and the type that goes the other way.
local counterparts = {[4] = {}, [6] = {}}
local function pair(version, asked, answered)
  counterparts[version][asked], counterparts[version][answered] = answered, asked
end
pair(4, 8, 0) pair(4, 10, 9) pair(4, 13, 14) pair(4, 15, 16) pair(4, 17, 18)
pair(6, 128, 129) pair(6, 130, 131) pair(6, 133, 134) pair(6, 135, 136)
pair(6, 139, 140) pair(6, 144, 145)

-- Bytes of the IP packet, as its header says; that of a jumbogram, or of one that a network card
-- was to cut into pieces, does not.
local function ip_length(packet)
  local at = packet.network
  local length = be16(packet.data, at + (packet.ip_version == 4 and 2 or 4))
  if length == 0 then return packet.wire_length - at end
  return packet.ip_version == 4 and length or length + 40
end

-- What is kept of a session. Index 0 and 1 of pairs: who opened it, and the other side.
local function begin(event)
  local flow = {
    id = event:community_id(),
    time = event:time(),
    last = event:time(),
    history = '',
    said = 0, -- letters that are in `history`, as bits
    packets = {[0] = 0, 0},
    ip_bytes = {[0] = 0, 0},
    payload = {[0] = 0, 0},
    missed = 0,
    reset_by = nil,
    next_seq = {}, -- TCP: the sequence number behind all that was sent
    again = {[0] = 0, 0}, -- segments whose bytes had been sent before
    again_at = {[0] = 1, 1}, -- how many of them get another T
  }
  local session, packet = event.session, event.packet
  local protocol = session.protocol
  if (protocol == ICMP or protocol == ICMP6) and packet ~= nil and packet.transport > 0 then
    if packet.transport + 2 <= packet.length then
      -- In the place of ports: the type, and that of its answer; else type and code.
      local kind = packet.data[packet.transport]
      flow.icmp_type = kind
      flow.icmp_other = counterparts[session.ip_version][kind] or
        packet.data[packet.transport + 1]
    end
  end
  event:set(flow)
  return flow
end

-- Zeek's letters, each once for a direction; capitals: who opened the session.
local letters = {[0] = {S = 'S', H = 'H', A = 'A', D = 'D', F = 'F', R = 'R'},
                 [1] = {S = 's', H = 'h', A = 'a', D = 'd', F = 'f', R = 'r'}}
local places = {S = 0, H = 1, A = 2, D = 3, F = 4, R = 5}
local function say(flow, direction, letter)
  local mark = lshift(1, places[letter] + direction * 8)
  if band(flow.said, mark) ~= 0 then return end
  flow.said = bor(flow.said, mark)
  flow.history = flow.history .. letters[direction][letter]
end

-- Bytes that had been sent before: T, at their first time, their tenth, their hundredth ...
local function see_sequence(flow, packet, direction, payload)
  local flags = packet.tcp_flags
  if packet.transport + 8 > packet.length or band(flags, RST) ~= 0 then return end
  local behind = be32(packet.data, packet.transport + 4) + payload
  if band(flags, SYN) ~= 0 then behind = behind + 1 end
  if band(flags, FIN) ~= 0 then behind = behind + 1 end
  local known = flow.next_seq[direction]
  if known == nil or bit.tobit(behind - known) > 0 then
    flow.next_seq[direction] = behind
  elseif payload > 0 then
    flow.again[direction] = flow.again[direction] + 1
    if flow.again[direction] ~= flow.again_at[direction] then return end
    flow.history = flow.history .. (direction == 0 and 'T' or 't')
    flow.again_at[direction] = flow.again_at[direction] * 10
  end
end

local function on_packet(event)
  local flow = event:get() or begin(event)
  local packet, direction = event.packet, event.direction
  if packet.protocol ~= event.session.protocol then return end -- an ICMP error about it
  flow.last = tonumber(packet.timestamp) / 1e9
  if packet.ip_version == 0 then return end
  local length = ip_length(packet)
  flow.packets[direction] = flow.packets[direction] + 1
  flow.ip_bytes[direction] = flow.ip_bytes[direction] + length
  local payload = 0
  if packet.payload > packet.network then
    payload = math.max(length - (packet.payload - packet.network), 0)
  end
  if packet.protocol ~= TCP then
    flow.payload[direction] = flow.payload[direction] + payload
    if payload > 0 and packet.protocol == UDP then say(flow, direction, 'D') end
    return
  end
  if packet.transport == 0 then return end
  if direction == 1 and flow.history == '' then flow.history = '^' end -- began with its answer
  local flags = packet.tcp_flags
  if band(flags, SYN) ~= 0 then
    say(flow, direction, band(flags, ACK) ~= 0 and 'H' or 'S')
  elseif payload == 0 and band(flags, FIN + RST) == 0 then
    say(flow, direction, 'A')
  end
  if payload > 0 then say(flow, direction, 'D') end
  see_sequence(flow, packet, direction, payload)
  if band(flags, FIN) ~= 0 then say(flow, direction, 'F') end
  if band(flags, RST) ~= 0 then
    flow.reset_by = flow.reset_by or direction
    say(flow, direction, 'R')
  end
end

-- TCP: bytes of the streams, so that what is sent twice counts once.
local function on_payload(event)
  local flow = event:get()
  if flow then flow.payload[event.direction] = tonumber(event.offset) + event.length end
end
local function on_gap(event)
  local flow = event:get()
  if not flow or event.reason == DEPTH or event.reason == MIDSTREAM then return end
  flow.missed = flow.missed + event.length
  flow.payload[event.direction] = tonumber(event.offset) + event.length
end

local function has(flow, letter, direction)
  return band(flow.said, lshift(1, places[letter] + direction * 8)) ~= 0
end

-- Zeek's conn_state.
local function state_of(flow, session)
  if session.protocol == UDP then
    if flow.packets[0] == 0 then return 'SHR' end
    return flow.packets[1] > 0 and 'SF' or 'S0'
  end
  if session.protocol ~= TCP then return 'OTH' end
  local finished, finished_too = has(flow, 'F', 0), has(flow, 'F', 1)
  if not has(flow, 'S', 0) then
    if not has(flow, 'H', 1) then return 'OTH' end
    if flow.reset_by == 1 then return 'RSTRH' end
    if finished and finished_too then return 'SF' end
    return finished_too and 'SHR' or 'OTH'
  elseif not has(flow, 'H', 1) then
    if flow.reset_by then return flow.reset_by == 1 and 'REJ' or 'RSTOS0' end
    return finished and 'SH' or 'S0'
  end
  if finished and finished_too then return 'SF' end
  if flow.reset_by then return flow.reset_by == 1 and 'RSTR' or 'RSTO' end
  if finished then return 'S2' end
  return finished_too and 'S3' or 'S1'
end

local names = {[ICMP] = 'icmp', [TCP] = 'tcp', [UDP] = 'udp', [ICMP6] = 'icmp', [132] = 'sctp'}

local function on_closing(event)
  local flow, session = event:get(), event.session
  if not flow then return end
  local optional = ''
  local service = session:application_name()
  if service then optional = ('"service":"%s",'):format(service) end
  local line = ('{"ts":%.6f,"uid":"%d","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s",' ..
    '"id.resp_p":%d,"proto":"%s",%s"duration":%.6f,"orig_bytes":%d,"resp_bytes":%d,' ..
    '"conn_state":"%s","missed_bytes":%d,"history":"%s","orig_pkts":%d,"orig_ip_bytes":%d,' ..
    '"resp_pkts":%d,"resp_ip_bytes":%d,"community_id":"%s","close_reason":"%s"}'):format(
    flow.time, tonumber(session.id), session:source_address(),
    flow.icmp_type or session:source_port(), session:destination_address(),
    flow.icmp_other or session:destination_port(),
    names[session.protocol] or tostring(session.protocol), optional,
    math.max(flow.last - flow.time, 0), flow.payload[0], flow.payload[1],
    state_of(flow, session), flow.missed, flow.history, flow.packets[0],
    flow.ip_bytes[0], flow.packets[1], flow.ip_bytes[1], flow.id,
    event:reason_name())
  if bricks.emit(line) == 0 then bricks.add_figure('logged') end
end

return {
  name = 'flow_logger',
  summary = 'a line of JSON for each session: the fields of Zeek\'s conn.log',
  options = {file = {type = 'text', summary = 'where the lines go'}},
  figures = {'logged'},
  on_opening = begin,
  on_packet = on_packet,
  on_payload = on_payload,
  on_gap = on_gap,
  on_closing = on_closing,
}
