// The packet: scheme: a network interface through AF_PACKET, present in every Linux kernel.
#include "ports/packet_input.hh"
#include "ports/packet_output.hh"
#include "ports/port_schemes.hh"

namespace bricks {
namespace {

constexpr OptionDescriptor kPacketOptions[] = {
    {"promisc", OptionType::boolean, "true", 0, 0, nullptr,
     "input: receive what is addressed to others, too; ends when the port is closed"},
    {"ring", OptionType::integer, "16", 1, 2048, nullptr,
     "input: MiB of the kernel's receive ring, all of it resident"},
    {"block", OptionType::integer, "512", 128, 4096, nullptr,
     "input: KiB the kernel hands over at once; a power of two"},
    {"timeout", OptionType::integer, "5", 1, 1000, nullptr,
     "input: milliseconds after which a block is handed over though it is not full"},
    {"snaplen", OptionType::integer, "65535", 64, 65535, nullptr,
     "input: bytes of each packet to keep"},
};

Status open_packet_input(const PortName& name, const Options& parameters,
                         const PortContext& context, std::unique_ptr<Input>* input) {
  const auto number = [&](const char* option) {
    return static_cast<uint32_t>(option_integer(parameters, option));
  };
  PacketSettings settings;
  settings.promiscuous = option_flag(parameters, "promisc");
  settings.ring_mib = number("ring");
  settings.block_kib = number("block");
  settings.timeout_ms = number("timeout");
  settings.snaplen = number("snaplen");
  settings.queue = context.queue;
  return PacketInput::open(name.target, settings, input);
}

Status open_packet_output(const PortName& name, const Options& parameters,
                          const PortContext& context, std::unique_ptr<Output>* output) {
  (void)parameters;
  (void)context;
  return PacketOutput::open(name.target, output);
}

}  // namespace

const PortScheme kPacketScheme = {
    "packet",
    "packet:eth3",
    "receive from the interface through AF_PACKET (TPACKET_V3)",
    "transmit to the interface through AF_PACKET",
    kPacketOptions,
    open_packet_input,
    open_packet_output,
    [](const PortName&) { return true; },
};

}  // namespace bricks
