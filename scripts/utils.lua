-- utilObj and the constants that configuration scripts use, compatible with packet-bricks' own:
--   utilObj = dofile(prefix .. "bricks-scripts/utils.lua")

STATS_PRINT_CYCLE_DEFAULT = 20                         -- lines of statistics that start() prints
SLEEP_TIMEOUT = 2                                      -- seconds between them
PKT_BATCH = 1024                                       -- packets a batch; more than 256 means 256
NETMAP_LIN_PARAMS_PATH = "/sys/module/netmap/parameters/"
NETMAP_PIPES = 64                                      -- pipes a netmap port may have
NO_CPU_AFF = -1                                        -- pin the engine to no core
NO_QIDS = -1                                           -- read all hardware queues
BUFFER_SZ = 1024                                       -- PktEngine.new's second argument; unused

local utils = {}

-- True for a folder that can be entered.
function utils:directory_exists(path)
   if type(path) ~= "string" then return false end
   return os.execute("cd '" .. path:gsub("'", "'\\''") .. "' 2>/dev/null") == 0
end

-- Waits `seconds` without using a CPU; Ctrl-C ends it.
function utils:sleep(seconds)
   BRICKS.sleep(seconds)
end

-- What a shell command prints.
function utils:shell(command)
   local pipe = assert(io.popen(command, "r"))
   local text = pipe:read("*all")
   pipe:close()
   return text
end

-- Setups ask this before they begin. Pipes need no kernel module any more and interfaces are read
-- without netmap where it is missing, so that nothing stands in the way.
function utils:netmap_loaded()
   return true
end

-- Raises netmap's own limit of pipes where the module is loaded.
function utils:enable_nmpipes()
   local parameter = io.open(NETMAP_LIN_PARAMS_PATH .. "default_pipes", "w")
   if parameter then
      parameter:write(NETMAP_PIPES)
      parameter:close()
   end
end

function utils:check_superuser()
   return self:shell("id -u"):match("^0%s") ~= nil
end

function file_exists(path)
   local file = io.open(path, "r")
   if file then file:close() end
   return file ~= nil
end

-- The lines of a file as a list; empty where there is no such file.
function lines_from(path)
   local lines = {}
   if file_exists(path) then
      for line in io.lines(path) do lines[#lines + 1] = line end
   end
   return lines
end

return utils
