-- One engine. Loading this file defines init(), start() and stop(); call them from the shell, or
-- remove the dashes at its end.

utilObj = dofile(prefix .. "bricks-scripts/utils.lua")
sampleSetup = dofile(prefix .. "bricks-scripts/configs/single-threaded-setups.lua")

-- Builds the engine. The other setups of the file above go in the same place.
function init()
   if not utilObj:check_superuser() then
      print("You have to be superuser to run this function")
      os.exit(-1)
   end
   utilObj:enable_nmpipes()
   local pe = PktEngine.new("e0", BUFFER_SZ, NO_CPU_AFF)
   sampleSetup:simple_lbconfig(pe, "ix1")
   -- sampleSetup:lb_config(pe, "ix1", "ix0")
   -- sampleSetup:dup_config(pe, "ix1")
   -- sampleSetup:lbmrgpcap_config(pe, "ix1")
end

function start()
   PktEngine.retrieve("e0"):start()
   for _ = 0, STATS_PRINT_CYCLE_DEFAULT do
      utilObj:sleep(SLEEP_TIMEOUT)
      BRICKS.show_stats()
   end
end

function stop()
   local pe = PktEngine.retrieve("e0")
   pe:show_stats()
   pe:stop()
   pe:delete()
end

-- init()
-- start()
-- stop()
