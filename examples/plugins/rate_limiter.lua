-- A rate limiter: sessions share a rate, all of them or those of one source each. What is beyond
-- it waits (the group's queue), and is dropped when too much waits.
--
--   Brick.new("Session", {plugins = {{path = "rate_limiter.lua", options = {
--     rate = 1250000, burst = 15000, per = "source", port = 443}}}})
--
-- The groups are queue groups like any others: BRICKS.queue_groups() counts what became of packets,
-- and BRICKS.queue_group{ id = 1000, ... } gives one another queue while it runs.
local bit = require('bit')

local function check_options()
  local options = bricks.options
  if options.per ~= 'all' and options.per ~= 'source' then
    error('per is to be all or source', 0)
  end
  if options.groups < 1 or options.groups > 4096 then error('groups is to be 1 to 4096', 0) end
  if options.rate < 1 then error('rate is to be 1 byte a second at least', 0) end
end

-- Of the address of whoever opened the session: the same group for all its sessions.
local function group_of(session)
  local options = bricks.options
  if options.per == 'all' then return options.first_group end
  local hash = 2166136261
  for i = 0, session.ip_version == 4 and 3 or 15 do
    hash = bit.bxor(hash, session.address[0][i]) % 4294967296
    hash = (hash * 403 + bit.lshift(bit.band(hash, 0xff), 24)) % 4294967296
  end
  return options.first_group + hash % options.groups
end

local function on_opening(event)
  local session, options = event.session, bricks.options
  local port = options.port
  if port == 0 or session:destination_port() == port then
    local group = group_of(session)
    local made = bricks.create_group(group, options.rate, options.burst)
    if made ~= 0 then error('group ' .. group .. ' cannot be made: ' .. made, 0) end
    session:add_group(group)
    bricks.add_figure('limited')
  else
    bricks.add_figure('free')
  end
  session:detach()
end

return {
  name = 'rate_limiter',
  summary = 'sessions share a rate, all together or by source',
  options = {
    rate = {type = 'number', summary = 'bytes of IP packets a second'},
    burst = {type = 'number', preset = 15000, summary = 'bytes that may pass at once'},
    per = {type = 'text', preset = 'all', summary = 'who shares it: all, or those of a source'},
    port = {type = 'number', preset = 0, summary = 'sessions opened to that port only; 0: all'},
    first_group = {type = 'number', preset = 1000, summary = 'number of the first queue group'},
    groups = {type = 'number', preset = 256, summary = 'per source: how many groups at most'},
  },
  figures = {'limited', 'free'},
  init = check_options,
  worker_init = check_options,
  on_opening = on_opening,
}
