-- Setups for one engine, compatible with packet-bricks' own. Each method takes a fresh engine,
-- builds bricks and links them:
--   sampleSetup = dofile(prefix .. "bricks-scripts/configs/single-threaded-setups.lua")
--   sampleSetup:simple_lbconfig(pe, "eth3")

-- Where pcapr_config finds its captures.
PCAPDIR = PCAPDIR or "./"

local setups = {}

-- By 2-tuple over four pipes and another interface.
function setups:lb_config(pe, int1, int2)
   local lb = Brick.new("LoadBalancer", 2)
   lb:connect_input(int1)
   lb:connect_output(int1 .. "{0", int1 .. "{1", int1 .. "{2", int1 .. "{3", int2)
   pe:link(lb)
end

-- By 4-tuple over four pipes.
function setups:simple_lbconfig(pe, intf)
   self:lbconfig(pe, intf, 4)
end

-- By 4-tuple over as many pipes as asked for.
function setups:lbconfig(pe, intf, split)
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(intf)
   lb:connect_outputs(intf, split)
   pe:link(lb)
end

-- All packets to each of four pipes.
function setups:dup_config(pe, int1)
   self:dupconfig(pe, int1, 4)
end

-- All packets to each of as many pipes as asked for.
function setups:dupconfig(pe, intf, split)
   local dup = Brick.new("Duplicator")
   dup:connect_input(intf)
   dup:connect_outputs(intf, split)
   pe:link(dup)
end

-- Two copies: one is balanced over two pipes, the other is a pipe as it is.
function setups:duplb_config(pe, int1)
   local dup = Brick.new("Duplicator")
   dup:connect_input(int1)
   dup:connect_output(int1 .. "{0", int1 .. "{1")
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(int1 .. "}0")
   lb:connect_output(int1 .. "{2", int1 .. "{3")
   dup:link(lb)
   pe:link(dup)
end

-- Balanced over two pipes and merged again.
function setups:lbmrg_config(pe, int1)
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(int1)
   lb:connect_output(int1 .. "{0", int1 .. "{1")
   local mrg = Brick.new("Merge")
   mrg:connect_input(int1 .. "}0", int1 .. "}1")
   mrg:connect_output(int1 .. "{3")
   lb:link(mrg)
   pe:link(lb)
end

-- Balanced, merged, and written to a capture file.
function setups:lbmrgpcap_config(pe, int1)
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(int1)
   lb:connect_output(int1 .. "{0", int1 .. "{1")
   local mrg = Brick.new("Merge")
   mrg:connect_input(int1 .. "}0", int1 .. "}1")
   mrg:connect_output(int1 .. "{2")
   local pw = Brick.new("PcapWriter")
   pw:connect_input(int1 .. "}2")
   pw:connect_output("out.pcap")
   lb:link(mrg)
   mrg:link(pw)
   pe:link(lb)
end

-- Two interfaces merged, then balanced over four pipes.
function setups:mrg_config(pe, int1, int2)
   local mrg = Brick.new("Merge")
   mrg:connect_input(int1, int2)
   mrg:connect_output(int1 .. "{1")
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(int1 .. "}1")
   lb:connect_output(int2 .. "{2", int2 .. "{3", int2 .. "{4", int2 .. "{5")
   mrg:link(lb)
   pe:link(mrg)
end

-- Balanced over four pipes, the first of them filtered.
function setups:lbfilt_config(pe, intf)
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(intf)
   lb:connect_outputs(intf, 4)
   local filter = Brick.new("Filter")
   filter:connect_input(intf .. "}0")
   filter:connect_output(intf .. "{4")
   lb:link(filter)
   pe:link(lb)
end

-- The captures of a folder, replayed into a pipe.
function setups:pcapr_config(pe, intf)
   local reader = Brick.new("PcapReader")
   reader:connect_input(PCAPDIR, intf)
   reader:connect_output(intf .. "{0")
   pe:link(reader)
end

-- Balanced over four pipes, two of them written to capture files.
function setups:pcapw_config(pe, intf)
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(intf)
   lb:connect_outputs(intf, 4)
   for _, number in ipairs({ 0, 2 }) do
      local writer = Brick.new("PcapWriter")
      writer:connect_input(intf .. "}" .. number)
      writer:connect_output(number .. ".pcap")
      lb:link(writer)
   end
   pe:link(lb)
end

-- Straight through, for measuring.
function setups:dummy_config(pe, intf)
   local dummy = Brick.new("Dummy")
   dummy:connect_input(intf)
   dummy:connect_output(intf .. "{0")
   pe:link(dummy)
end

return setups
