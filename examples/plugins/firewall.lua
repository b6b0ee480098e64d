-- A stateful firewall. The first packet of a session is judged by the rules, in order; what they
-- say holds for both directions until the session ends.
--
--   Brick.new("Session", {plugins = {{path = "firewall.lua", options = {
--     rules = "allow tcp to 192.0.2.0/24 port 443; allow udp port 53; deny from 10.0.0.0/8",
--     log = "denied", file = "firewall.log"}}}})
--
-- A rule: allow or deny, then any of: tcp, udp, icmp, or protocol N; from NETWORK; to NETWORK;
-- port N or N-M (of whom the session is opened to). Between rules: ; or a new line.
local bit, ffi = require('bit'), require('ffi')
local band = bit.band
local FIN, SYN, RST = 0x01, 0x02, 0x04
ffi.cdef('int inet_pton(int family, const char *text, void *address);')

local protocols = {tcp = {[6] = true}, udp = {[17] = true}, icmp = {[1] = true, [58] = true}}
local names = {[6] = 'tcp', [17] = 'udp', [1] = 'icmp', [58] = 'icmp'}

local function network(text)
  local address, bits = text:match('^([^/]+)/?(%d*)$')
  local bytes = ffi.new('uint8_t[16]')
  for version, family in pairs({[4] = 2, [6] = 10}) do -- AF_INET, AF_INET6
    if address and ffi.C.inet_pton(family, address, bytes) == 1 then
      local most = version == 4 and 32 or 128
      bits = tonumber(bits) or most
      if bits > most then return nil end
      return {version = version, bytes = bytes, whole = math.floor(bits / 8), rest = bits % 8}
    end
  end
  return nil
end

local function contains(net, version, bytes)
  if net.version ~= version then return false end
  for i = 0, net.whole - 1 do
    if net.bytes[i] ~= bytes[i] then return false end
  end
  if net.rest == 0 then return true end
  local mask = band(0xff, bit.lshift(0xff, 8 - net.rest))
  return band(net.bytes[net.whole], mask) == band(bytes[net.whole], mask)
end

local function read_rule(text)
  local rule, words = {text = text}, {}
  for word in text:gmatch('%S+') do
    words[#words + 1] = word
  end
  local at = 1
  local function fail(why)
    error(('rules: "%s": %s'):format(text, why), 0)
  end
  local function argument(what)
    at = at + 1
    return words[at] or fail('after ' .. what .. ' comes a value')
  end
  if words[1] ~= 'allow' and words[1] ~= 'deny' then fail('begins with allow or deny') end
  rule.allow = words[1] == 'allow'
  at = 2
  while at <= #words do
    local word = words[at]
    if protocols[word] then
      rule.protocols = protocols[word]
    elseif word == 'protocol' then
      local number = tonumber(argument(word))
      if not number or number > 255 then fail('protocol takes a number up to 255') end
      rule.protocols = {[number] = true}
    elseif word == 'from' or word == 'to' then
      rule[word] = network(argument(word)) or fail(words[at] .. ' is no address and no network')
    elseif word == 'port' then
      local first, last = argument(word):match('^(%d+)%-?(%d*)$')
      rule.first = tonumber(first) or fail('port takes N or N-M')
      rule.last = tonumber(last) or rule.first
      if rule.first > rule.last or rule.last > 65535 then fail('there are no such ports') end
    else
      fail('there is no ' .. word .. '; there are tcp, udp, icmp, protocol, from, to and port')
    end
    at = at + 1
  end
  return rule
end

local rules, otherwise = {}, {text = 'default'}
local function read_rules()
  rules = {}
  for text in bricks.options.rules:gmatch('[^;\n]+') do
    text = text:match('^%s*(.-)%s*$')
    if text ~= '' then rules[#rules + 1] = read_rule(text) end
  end
  local default, log = bricks.options.default, bricks.options.log
  if default ~= 'allow' and default ~= 'deny' then error('default is to be allow or deny', 0) end
  if log ~= 'none' and log ~= 'denied' and log ~= 'all' then
    error('log is to be none, denied or all', 0)
  end
  otherwise.allow = default == 'allow'
end

local function matches(rule, session)
  if rule.protocols and not rule.protocols[session.protocol] then return false end
  local version = session.ip_version
  if rule.from and not contains(rule.from, version, session.address[0]) then return false end
  if rule.to and not contains(rule.to, version, session.address[1]) then return false end
  if not rule.first then return true end
  local port = session:destination_port()
  return port >= rule.first and port <= rule.last
end

local midstream = {text = 'midstream', allow = false}
local function judge(event)
  local session, packet = event.session, event.packet
  if session.protocol == 6 and packet ~= nil and not bricks.options.midstream then
    -- A connection begins with SYN; whatever else comes first belongs to none that was allowed.
    if band(packet.tcp_flags, SYN + FIN + RST) ~= SYN then return midstream end
  end
  for i = 1, #rules do
    if matches(rules[i], session) then return rules[i] end
  end
  return otherwise
end

local function log(event, rule)
  local session = event.session
  bricks.emit(('{"ts":%.6f,"verdict":"%s","rule":"%s","proto":"%s","src":"%s","src_port":%d,' ..
    '"dst":"%s","dst_port":%d}'):format(
    event:time(), rule.allow and 'allow' or 'deny', rule.text,
    names[session.protocol] or tostring(session.protocol), session:source_address(),
    session:source_port(), session:destination_address(), session:destination_port()))
end

local function on_opening(event)
  local rule = judge(event)
  bricks.add_figure(rule.allow and 'allowed' or 'denied')
  local wanted = bricks.options.log
  if wanted == 'all' or (wanted == 'denied' and not rule.allow) then log(event, rule) end
  -- An allowed session is seen no more; of a denied one every packet comes by on_packet.
  if rule.allow then event.session:detach() end
end

local function on_packet(event)
  if event.session:drop_packet() == 0 then bricks.add_figure('dropped') end
end

return {
  name = 'firewall',
  summary = 'sessions are allowed or denied by rules',
  options = {
    rules = {type = 'text', summary = 'allow tcp to 192.0.2.0/24 port 443; deny from 10.0.0.0/8'},
    default = {type = 'text', preset = 'deny', summary = 'what no rule speaks of: allow or deny'},
    midstream = {type = 'boolean', preset = false, summary = 'judge TCP without its SYN, too'},
    log = {type = 'text', preset = 'denied', summary = 'verdicts to write: none, denied or all'},
    file = {type = 'text', preset = '', summary = 'where they go'},
  },
  figures = {'allowed', 'denied', 'dropped'},
  init = read_rules,
  worker_init = read_rules,
  on_opening = on_opening,
  on_packet = on_packet,
}
