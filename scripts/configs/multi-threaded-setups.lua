-- Setups for several engines on one interface, an engine for each of its hardware queues.

-- Engine number `cnt` reads queue `cnt` into pipe `cnt`.
function lb_config(pe, int1, cnt)
   local lb = Brick.new("LoadBalancer", 4)
   lb:connect_input(int1)
   lb:connect_output(int1 .. "{" .. cnt)
   pe:link(lb, PKT_BATCH, cnt)
end
