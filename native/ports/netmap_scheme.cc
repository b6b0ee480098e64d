// The netmap: scheme: interfaces, host rings, VALE ports and pipes of the netmap kernel module.
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "abi/netmap_requests.h"
#include "ports/netmap_input.hh"
#include "ports/netmap_output.hh"
#include "ports/packet_interface.hh"
#include "ports/port_schemes.hh"

namespace bricks {
namespace {

constexpr uint32_t kEthernetBytes = 14;

constexpr OptionDescriptor kNetmapOptions[] = {
    {"promisc", OptionType::boolean, "true", 0, 0, nullptr,
     "input: receive what is addressed to others, too; ends when the port is closed"},
    {"exclusive", OptionType::boolean, "false", 0, 0, nullptr,
     "refuse to open what another program has open, and keep others out"},
    {"slots", OptionType::integer, "0", 0, kNetmapSlotsMax, nullptr,
     "slots of each ring; 0: as the module has them; the first opener decides"},
    {"rings", OptionType::integer, "0", 0, kNetmapRingsMax, nullptr,
     "rings each way, of a pipe or VALE port; 0: as the module has them"},
    {"memory", OptionType::integer, "0", 0, 65535, nullptr,
     "the module's memory to lie in, by number; 0: as the module decides"},
    {"extra", OptionType::integer, "0", 0, kNetmapExtraMax, nullptr,
     "output: extra buffers, a queue behind rings that are full"},
    {"kernel", OptionType::boolean, "false", 0, 0, nullptr,
     "with a brace in the name: the module's own pipe, not one of ours"},
};

struct Way {
  NetmapName name;
  NetmapWishes wishes;
  Interface interface;  // of an interface
  std::string note, warning;
};

Status prepare(const PortName& name, const Options& parameters, int32_t queue, Way* way) {
  if (Status s = parse_netmap_name(name.target, queue, &way->name); !s.ok()) return s;
  way->wishes.exclusive = option_flag(parameters, "exclusive");
  way->wishes.slots = static_cast<uint32_t>(option_integer(parameters, "slots"));
  way->wishes.rings = static_cast<uint16_t>(option_integer(parameters, "rings"));
  way->wishes.memory = static_cast<uint16_t>(option_integer(parameters, "memory"));
  if (!way->name.interface()) return {};
  // Without the module nothing else matters; with it, its words for what is no interface are one
  // number.
  int module = -1;
  if (Status s = NetmapDevice::open_module(way->name.port, kKernelNetmap, &module); !s.ok()) {
    return s;
  }
  close(module);
  if (Status s = find_interface(way->name.port, &way->interface); !s.ok()) return s;
  if (!way->interface.link_header || way->interface.link != LinkType::ethernet) {
    return {Code::unsupported, "interface " + way->name.port +
                                   " is not Ethernet, which is all that netmap drives; "
                                   "packet:" +
                                   way->name.port + " takes AF_PACKET"};
  }
  if (!way->interface.up) {
    way->warning = "interface " + way->name.port + " is down: netmap sleeps in the kernel until " +
                   "`ip link set " + way->name.port + " up`";
  }
  return {};
}

// Promiscuous mode for as long as the socket is open: the kernel counts it per socket.
Status hold_promiscuous(const Interface& interface, std::shared_ptr<void>* held) {
  int fd = -1;
  if (Status s = open_packet_socket(interface, &fd); !s.ok()) return s;
  held->reset(new int(fd), [](int* socket) {
    close(*socket);
    delete socket;
  });
  packet_mreq membership{};
  membership.mr_ifindex = interface.index;
  membership.mr_type = PACKET_MR_PROMISC;
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) == 0) {
    return {};
  }
  return system_error("promiscuous mode on " + interface.name, errno);
}

Status open_netmap_input(const PortName& name, const Options& parameters,
                         const PortContext& context, std::unique_ptr<Input>* input) {
  Way way;
  if (Status s = prepare(name, parameters, context.queue, &way); !s.ok()) return s;
  std::shared_ptr<void> promiscuous;
  const bool hardware = way.name.part == NetmapPart::hardware ||
                        way.name.part == NetmapPart::one_hardware ||
                        way.name.part == NetmapPart::both;
  if (way.name.interface() && hardware && option_flag(parameters, "promisc")) {
    if (Status s = hold_promiscuous(way.interface, &promiscuous); !s.ok()) return s;
    way.note = ", promiscuous";
  }
  std::unique_ptr<NetmapDevice> device;
  if (Status s = NetmapDevice::open(way.name, way.wishes, &device); !s.ok()) return s;
  auto made = std::make_unique<NetmapInput>(std::move(device), way.note);
  made->keep(std::move(promiscuous));
  made->warn(std::move(way.warning));
  *input = std::move(made);
  return {};
}

Status open_netmap_output(const PortName& name, const Options& parameters,
                          const PortContext& context, std::unique_ptr<Output>* output) {
  (void)context;  // an engine's queue is what it reads; it sends where a flow's hash says
  Way way;
  if (Status s = prepare(name, parameters, -1, &way); !s.ok()) return s;
  way.wishes.transmit = true;
  way.wishes.extra = static_cast<uint32_t>(option_integer(parameters, "extra"));
  NetmapOutputSettings settings;
  settings.pipe = way.name.pipe;
  if (way.name.interface()) {
    settings.frame_max = way.interface.mtu + kEthernetBytes;
    settings.tagged = true;
  }
  std::unique_ptr<NetmapDevice> device;
  if (Status s = NetmapDevice::open(way.name, way.wishes, &device); !s.ok()) return s;
  auto made = std::make_unique<NetmapOutput>(std::move(device), settings, way.note);
  made->warn(std::move(way.warning));
  *output = std::move(made);
  return {};
}

// The module is there: whoever has loaded it wants it used. Where it then refuses an interface, it
// says why, and nothing else is tried behind its back.
bool module_is_there(const PortName&) { return access(NETMAP_DEVICE, F_OK) == 0; }

}  // namespace

const PortScheme kNetmapScheme = {
    "netmap",
    "netmap:eth3",
    "receive through the netmap kernel module: eth3, eth3-2 (one ring), eth3^ (the host's rings), "
    "vale0:x, eth3{0?kernel (its own pipe)",
    "transmit through the netmap kernel module; buffers are exchanged within its memory",
    kNetmapOptions,
    open_netmap_input,
    open_netmap_output,
    module_is_there,
};

}  // namespace bricks
