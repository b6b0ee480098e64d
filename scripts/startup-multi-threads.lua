-- Four engines on cores 0 to 3, each reading one hardware queue of eth3 into a pipe of its own.
-- Loading this file defines init4(), start4() and stop4().

utilObj = dofile(prefix .. "bricks-scripts/utils.lua")
dofile(prefix .. "bricks-scripts/configs/multi-threaded-setups.lua")

local engines = 4

local function each(call)
   for number = 0, engines - 1 do call("e" .. number, number) end
end

function init4()
   if not utilObj:check_superuser() then
      print("You have to be superuser to run this function")
      os.exit(-1)
   end
   utilObj:enable_nmpipes()
   each(function(name, number)
      lb_config(PktEngine.new(name, BUFFER_SZ, number), "eth3", number)
   end)
end

function start4()
   each(function(name) PktEngine.retrieve(name):start() end)
   for _ = 0, STATS_PRINT_CYCLE_DEFAULT do
      utilObj:sleep(SLEEP_TIMEOUT)
      BRICKS.show_stats()
   end
end

function stop4()
   BRICKS.show_stats()
   each(function(name)
      local pe = PktEngine.retrieve(name)
      pe:stop()
      pe:delete()
   end)
end

-- init4()
-- start4()
-- stop4()
