// The calls of abi/bricks_packet_io.h. Packets are looked up before they are used, handles where
// things are opened, closed and counted.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "packet_io/packet_device.hh"
#include "ports/pipe_server.hh"

using bricks::Code;
using bricks::Status;
using bricks::packet_io_library::Device;
using bricks::packet_io_library::fail;
using bricks::packet_io_library::PacketPool;

struct packet_io_device {
  std::unique_ptr<Device> device;
  packet_io* owner;
};

struct packet_io {
  const char* mode;
  const char* receive_scheme;
  const char* send_scheme;
  bool both;             // a name can be both at once
  bool nameless_sender;  // null:
  // Devices use the rest.
  bricks::PipeDirectory pipes;
  std::unique_ptr<bricks::PipeServer> server;
  std::unique_ptr<PacketPool> pool;
  std::vector<std::unique_ptr<packet_io_device>> devices;
};

namespace {

constexpr uint32_t kPacketsDefault = 4096;

struct Mode {
  const char* name;
  const char* receive_scheme;
  const char* send_scheme;
  bool both;
  const char* missing;  // why it is not there; null: it is
};
constexpr Mode kModes[] = {
    {"pcap-file", "pcap:", "pcap:", false, nullptr},
    {"pcap-live", "", "", true, nullptr},
    {"af_packet", "packet:", "packet:", true, nullptr},
    {"xdp", "xdp:", "xdp:", true, nullptr},
    {"netmap", "netmap:", "netmap:", true, nullptr},
    {"pipe", "", "", true, nullptr},
    {"synthetic", "gen:", "null:", false, nullptr},
    {"vendor", "", "", false,
     "this build has no vendor's data plane; take af_packet, xdp or netmap for an interface"},
};

// What is there, of this process. A handle that is not in it is none.
struct Living {
  std::mutex mutex;
  std::set<const packet_io*> ios;
  std::set<const packet_io_device*> devices;
};
Living& living() {
  static Living* const all = new Living;
  return *all;
}
bool lives(const packet_io* io) {
  const std::lock_guard lock(living().mutex);
  return living().ios.contains(io);
}
bool lives(const packet_io_device* device) {
  const std::lock_guard lock(living().mutex);
  return living().devices.contains(device);
}

// For calls on packets' way: what a thread has found alive is not looked up again before some
// device has gone, which needs no lock. A handle that another thread destroys meanwhile is a race
// of the callers'.
std::atomic<uint64_t> times_gone{1};
bool still_lives(const packet_io_device* device) {
  thread_local const packet_io_device* known[2] = {};
  thread_local uint64_t as_of = 0;
  if (const uint64_t now = times_gone.load(std::memory_order_acquire); as_of != now) {
    known[0] = known[1] = nullptr;
    as_of = now;
  }
  if (device && (device == known[0] || device == known[1])) return true;
  if (!lives(device)) return false;
  known[1] = known[0];
  known[0] = device;
  return true;
}

int gone(const char* call) {
  return fail(BRICKS_ESTATE,
              std::string(call) + ": there is no such packet_io or device (any more)");
}

packet_io* refuse(int code, std::string why, int* error) {
  fail(code, std::move(why));
  if (error) *error = code;
  return nullptr;
}

std::string modes_there() {
  std::string all;
  for (const Mode& mode : kModes) all += (all.empty() ? "" : ", ") + std::string(mode.name);
  return all;
}

std::string key_of(const std::string& name, int direction, int queue) {
  return name + " " + std::to_string(direction) + " " + std::to_string(queue);
}

}  // namespace

PacketPool* bricks::packet_io_library::pool_of(const packet_io* io) {
  return lives(io) ? io->pool.get() : nullptr;
}

packet_io* packet_io_create(const char* mode, const char* config, uint32_t packets, int* error) {
  const auto found = std::find_if(std::begin(kModes), std::end(kModes), [mode](const Mode& each) {
    return mode && std::string(mode) == each.name;
  });
  if (found == std::end(kModes)) {
    return refuse(BRICKS_EINVAL,
                  std::string("packet_io_create: there is no mode '") + (mode ? mode : "") +
                      "'; there are " + modes_there(),
                  error);
  }
  if (found->missing)
    return refuse(BRICKS_ENOTSUP, std::string(mode) + ": " + found->missing, error);
  const bool is_pipe = std::string(found->name) == "pipe";
  if (is_pipe != (config && *config)) {
    return refuse(BRICKS_EINVAL,
                  is_pipe ? "packet_io_create: pipe wants the folder of ports.sock"
                          : "packet_io_create: only pipe has a config",
                  error);
  }
  if (packets > bricks::kMergePacketsMax) {
    return refuse(BRICKS_EINVAL,
                  "packet_io_create: packets is " + std::to_string(packets) + ", more than " +
                      std::to_string(bricks::kMergePacketsMax),
                  error);
  }
  auto io = std::make_unique<packet_io>();
  io->mode = found->name;
  io->receive_scheme = found->receive_scheme;
  io->send_scheme = found->send_scheme;
  io->both = found->both;
  io->nameless_sender = io->send_scheme == std::string("null:");
  Status status = PacketPool::create(packets ? packets : kPacketsDefault, &io->pool);
  if (status.ok() && is_pipe) {
    status = bricks::PipeServer::open(std::string(config) + "/ports.sock", io->pipes, &io->server);
  }
  if (!status.ok()) {
    const int code = fail(status);
    if (error) *error = code;
    return nullptr;
  }
  const std::lock_guard lock(living().mutex);
  living().ios.insert(io.get());
  return io.release();
}

int packet_io_destroy(packet_io* io) {
  {
    const std::lock_guard lock(living().mutex);
    if (living().ios.erase(io) == 0) {
      return fail(BRICKS_ESTATE, "packet_io_destroy: there is no such packet_io (any more)");
    }
    for (const auto& device : io->devices) living().devices.erase(device.get());
    times_gone.fetch_add(1, std::memory_order_release);
  }
  io->devices.clear();
  io->server.reset();
  delete io;
  return BRICKS_DONE;
}

int packet_io_open_device(packet_io* io, const char* name, int direction, int queue,
                          packet_io_device** device) {
  if (!lives(io)) return gone("packet_io_open_device");
  const bool receives = direction & PACKET_IO_RX, sends = direction & PACKET_IO_TX;
  const bool nameless = io->nameless_sender && direction == PACKET_IO_TX;
  if (!name || (!*name && !nameless) || !device || direction < 1 || direction > 3 || queue < -1) {
    return fail(BRICKS_EINVAL,
                "packet_io_open_device: a name, PACKET_IO_RX or PACKET_IO_TX, a "
                "queue from -1 up, and where the device is to be put are wanted");
  }
  if (receives && sends && !io->both) {
    return fail(BRICKS_EINVAL, std::string(io->mode) + ": '" + name +
                                   "' cannot be read and written at once; open two devices");
  }
  const std::string key = key_of(name, direction, queue);
  for (const auto& open : io->devices) {
    if (!open->device->closed() && open->device->name() == key) {
      return fail(BRICKS_EEXIST, std::string("'") + name + "' is open here already");
    }
  }
  bricks::PortContext context;
  context.pipes = &io->pipes;
  context.queue = queue;
  context.owner = "packet_io";
  auto made = std::make_unique<packet_io_device>();
  made->owner = io;
  const Status status = Device::open(key, receives ? io->receive_scheme + std::string(name) : "",
                                     sends ? io->send_scheme + std::string(name) : "", context,
                                     *io->pool, &made->device);
  if (!status.ok()) return fail(status);
  *device = made.get();
  const std::lock_guard lock(living().mutex);
  living().devices.insert(made.get());
  io->devices.push_back(std::move(made));
  return BRICKS_DONE;
}

int packet_io_rx(packet_io_device* device, struct packet** packets, int n) {
  if (!packets) return fail(BRICKS_EINVAL, "packet_io_rx: packets is 0");
  if (!still_lives(device)) return gone("packet_io_rx");
  return device->device->receive(packets, n);
}

int packet_io_tx(packet_io_device* device, struct packet** packets, int n) {
  if (!packets && n) return fail(BRICKS_EINVAL, "packet_io_tx: packets is 0");
  if (!still_lives(device)) return gone("packet_io_tx");
  return device->device->send(packets, n);
}

struct packet* packet_io_make(packet_io* io, uint32_t length) {
  if (length == 0 || length > bricks::kFrameMax) {
    fail(BRICKS_EINVAL, "packet_io_make: length is " + std::to_string(length) + ", not 1 to 65535");
    return nullptr;
  }
  struct packet* made = io->pool->make(length);
  if (!made) fail(BRICKS_ENOMEM, "packet_io_make: the caller has as many packets as may be");
  return made;
}

int packet_io_free(packet_io* io, struct packet** packets, int n) {
  if (const int wrong = io->pool->first_wrong(packets, n); wrong >= 0) {
    return fail(BRICKS_EINVAL,
                "packet_io_free: packets[" + std::to_string(wrong) + "] is not the caller's");
  }
  for (int i = 0; i < n; ++i) io->pool->give_back(packets[i]);
  return BRICKS_DONE;
}

int packet_io_fd(packet_io_device* device) {
  return device->device->closed() ? -1 : device->device->wait_fd();
}

int packet_io_close(packet_io_device* device) {
  return lives(device) ? device->device->close() : gone("packet_io_close");
}

int packet_io_stats(packet_io_device* device, packet_io_counts* counts) {
  if (!lives(device)) return gone("packet_io_stats");
  if (!counts) return fail(BRICKS_EINVAL, "packet_io_stats: counts is 0");
  device->device->count(counts);
  return BRICKS_DONE;
}

const char* packet_io_describe(packet_io_device* device) { return device->device->describe(); }
