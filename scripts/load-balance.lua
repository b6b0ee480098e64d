-- Splits what comes from an interface by flow over pipes: bricks-load-balance INTERFACE N.
-- Consumers read INTERFACE}0 to INTERFACE}N-1.

local interface = os.getenv("BRICKS_INTERFACE")
local pipes = tonumber(os.getenv("BRICKS_PIPES"))
if not interface or not pipes then
  error("start this with: bricks-load-balance INTERFACE N", 0)
end

local balancer = Brick.new("LoadBalancer")
balancer:connect_input(interface)
balancer:connect_outputs(interface, pipes)

local engine = PktEngine.new("load-balance")
engine:link(balancer)
engine:start()
