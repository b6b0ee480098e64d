-- A policy for TLS and QUIC: sessions are allowed or ended by the server name, or the JA4
-- fingerprint, of their ClientHello. The packet that completes it is dropped, and with it all that
-- follows: the server never sees a whole ClientHello.
--
--   Brick.new("Session", {plugins = {{path = "tls_policy.lua", options = {
--     rules = "allow *.example.com; deny ja4 t13d1516h2_*; deny *", file = "tls.log"}}}})
--
-- A rule: allow or deny, then NAME, *.NAME (all names beneath it), or *; or ja4 and a fingerprint
-- or the beginning of one and *. Between rules: ; or a new line. The first that matches decides.
local rules, otherwise, nameless = {}, {text = 'default'}, {text = 'no_name'}

local function read_rule(text)
  local verdict, rest = text:match('^(%a+)%s+(.+)$')
  if verdict ~= 'allow' and verdict ~= 'deny' then
    error(('rules: "%s" is to be allow or deny and a name'):format(text), 0)
  end
  local rule = {text = text, allow = verdict == 'allow'}
  local ja4 = rest:match('^ja4%s+(%S+)$')
  local pattern = ja4 or rest:match('^(%S+)$')
  if not pattern then error(('rules: "%s" has more than one name'):format(text), 0) end
  rule.ja4 = ja4 ~= nil
  pattern = pattern:lower():gsub('%.$', '')
  if pattern == '*' then
    rule.any = true
  elseif rule.ja4 and pattern:sub(-1) == '*' then
    rule.begins = pattern:sub(1, -2)
  elseif not rule.ja4 and pattern:sub(1, 2) == '*.' then
    rule.ends = pattern:sub(2)
  else
    rule.is = pattern
  end
  if (rule.begins or rule.ends or rule.is or ''):find('*', 1, true) then
    error(('rules: "%s": a * stands before a name, or behind a fingerprint'):format(text), 0)
  end
  return rule
end

local function verdict_option(name)
  local value = bricks.options[name]
  if value ~= 'allow' and value ~= 'deny' then error(name .. ' is to be allow or deny', 0) end
  return value == 'allow'
end

local function read_rules()
  rules = {}
  for text in bricks.options.rules:gmatch('[^;\n]+') do
    text = text:match('^%s*(.-)%s*$')
    if text ~= '' then rules[#rules + 1] = read_rule(text) end
  end
  otherwise.allow, nameless.allow = verdict_option('default'), verdict_option('no_name')
end

local function matches(rule, name, ja4)
  local value = rule.ja4 and ja4 or name
  if rule.any then return true end
  if rule.is then return value == rule.is end
  if rule.begins then return value:sub(1, #rule.begins) == rule.begins end
  return #value > #rule.ends and value:sub(-#rule.ends) == rule.ends
end

local function judge(name, ja4)
  for i = 1, #rules do
    local rule = rules[i]
    -- Rules of names do not speak of a hello without one.
    if (rule.ja4 or name ~= '') and matches(rule, name, ja4) then return rule end
  end
  return name == '' and nameless or otherwise
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(c)
    return ('\\u%04x'):format(c:byte())
  end) .. '"'
end

local function log(event, rule, name, ja4)
  local session = event.session
  bricks.emit(('{"ts":%.6f,"verdict":"%s","rule":%s,"name":%s,"ja4":"%s","proto":"%s",' ..
    '"src":"%s","src_port":%d,"dst":"%s","dst_port":%d}'):format(
    event:time(), rule.allow and 'allow' or 'deny', quoted(rule.text), quoted(name), ja4,
    session:application_name(), session:source_address(), session:source_port(),
    session:destination_address(), session:destination_port()))
end

local function on_protocol(event)
  if event.kind ~= bricks.TLS_CLIENT_HELLO then return end
  local hello = event:record()
  local name = tostring(hello.server_name):lower():gsub('%.$', ''):gsub('%z', '?')
  if #name > 255 then name = '' end -- no host is called so
  local ja4 = require('ffi').string(hello.ja4)
  local rule = judge(name, ja4)
  bricks.add_figure(rule.allow and 'allowed' or 'denied')
  log(event, rule, name, ja4)
  if rule.allow then return end
  event.session:drop_packet()
  event.session:kill()
end

return {
  name = 'tls_policy',
  summary = 'TLS and QUIC sessions are allowed or ended by server name and JA4',
  options = {
    rules = {type = 'text', summary = 'allow *.example.com; deny ja4 t13d1516h2_*; deny *'},
    default = {type = 'text', preset = 'allow', summary = 'what no rule speaks of: allow or deny'},
    no_name = {type = 'text', preset = 'allow', summary = 'a ClientHello without a server name'},
    file = {type = 'text', preset = '', summary = 'where verdicts go'},
  },
  figures = {'allowed', 'denied'},
  protocols = {'tls', 'quic'},
  init = read_rules,
  worker_init = read_rules,
  on_protocol = on_protocol,
}
