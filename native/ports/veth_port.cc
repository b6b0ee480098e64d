// The veth: scheme: a pair of interfaces, one end ours, the other for a program, perhaps in a
// container.
#include "ports/packet_input.hh"
#include "ports/packet_output.hh"
#include "ports/port_schemes.hh"
#include "ports/veth_pair.hh"

namespace bricks {
namespace {

constexpr OptionDescriptor kOptions[] = {
    {"peer", OptionType::text, "", 0, 0, nullptr,
     "the other end's name; none: the name with a p behind it"},
    {"netns", OptionType::text, "", 0, 0, nullptr,
     "network namespace of the other end: a name of `ip netns`, a path, or a process's number"},
    {"mtu", OptionType::integer, "65521", 68, 65521, nullptr,
     "of both ends; packets longer than it, an Ethernet header and a tag are dropped as oversize"},
    {"ring", OptionType::integer, "16", 1, 2048, nullptr, "input: MiB of the kernel's ring"},
};

Status make_pair(const PortName& name, const Options& options, std::shared_ptr<VethPair>* pair) {
  VethSettings settings;
  settings.peer = option_text(options, "peer");
  if (settings.peer.empty()) settings.peer = name.target + "p";
  settings.netns = option_text(options, "netns");
  settings.mtu = static_cast<uint32_t>(option_integer(options, "mtu"));
  return VethPair::make(name.target, settings, pair);
}

Status open_input(const PortName& name, const Options& options, const PortContext&,
                  std::unique_ptr<Input>* input) {
  std::shared_ptr<VethPair> pair;
  Status status = make_pair(name, options, &pair);
  if (!status.ok()) return status;
  PacketSettings settings;
  settings.ring_mib = static_cast<uint32_t>(option_integer(options, "ring"));
  status = PacketInput::open(name.target, settings, input);
  if (status.ok()) static_cast<PacketInput&>(**input).keep(std::move(pair));
  return status;
}

Status open_output(const PortName& name, const Options& options, const PortContext&,
                   std::unique_ptr<Output>* output) {
  std::shared_ptr<VethPair> pair;
  Status status = make_pair(name, options, &pair);
  if (!status.ok()) return status;
  status = PacketOutput::open(name.target, output);
  if (status.ok()) static_cast<PacketOutput&>(**output).keep(std::move(pair));
  return status;
}

}  // namespace

const PortScheme kVethScheme = {
    .scheme = "veth",
    .example = "veth:ids0?peer=ids1",
    .as_input = "makes a pair of interfaces and receives what is sent to the other end",
    .as_output =
        "makes a pair of interfaces and sends into it; a program reads the other end, "
        "which may be moved into a network namespace or a container",
    .options = kOptions,
    .open_input = open_input,
    .open_output = open_output,
};

}  // namespace bricks
