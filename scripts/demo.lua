-- Splits a capture by flow over four pipes: both directions of a conversation go to one consumer.
--
--   BRICKS_DEMO_CAPTURE=traffic.pcap bricks -f scripts/demo.lua
--   bricks cat 'demo}0' -w share-0.pcap     (and }1, }2, }3, each in a terminal of its own)

local capture = os.getenv("BRICKS_DEMO_CAPTURE")
if not capture then
  error("set BRICKS_DEMO_CAPTURE to the name of a capture file", 0)
end

local balancer = Brick.new("LoadBalancer")
balancer:connect_input("pcap:" .. capture)
balancer:connect_outputs("demo", 4) -- demo{0 to demo{3; consumers read demo}0 to demo}3

local engine = PktEngine.new("demo")
engine:link(balancer)
engine:start()

-- A capture ends. Until its last packet has reached its consumer, nothing is dropped: a full pipe
-- makes the engine wait.
engine:wait()
