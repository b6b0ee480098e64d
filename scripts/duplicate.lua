-- Copies what comes from an interface to every pipe: bricks-duplicate INTERFACE N.
-- Consumers read INTERFACE}0 to INTERFACE}N-1.

local interface = os.getenv("BRICKS_INTERFACE")
local pipes = tonumber(os.getenv("BRICKS_PIPES"))
if not interface or not pipes then
  error("start this with: bricks-duplicate INTERFACE N", 0)
end

local duplicator = Brick.new("Duplicator")
duplicator:connect_input(interface)
duplicator:connect_outputs(interface, pipes)

local engine = PktEngine.new("duplicate")
engine:link(duplicator)
engine:start()
