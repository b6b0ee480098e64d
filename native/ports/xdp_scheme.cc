// The xdp: scheme: a network interface through AF_XDP.
#include "ports/port_schemes.hh"
#include "ports/xdp_input.hh"
#include "ports/xdp_output.hh"

namespace bricks {
namespace {

constexpr OptionDescriptor kXdpOptions[] = {
    {"queue", OptionType::integer, "-1", -1, kXdpQueuesMax - 1, nullptr,
     "hardware queue; -1: the engine's, or else all as an input and the first as an output"},
    {"mode", OptionType::text, "auto", 0, 0, "auto|zerocopy|copy",
     "auto: the device reads and writes our memory where its driver can, else the kernel copies"},
    {"attach", OptionType::text, "auto", 0, 0, "auto|drv|skb",
     "input: where the XDP program runs; auto: in the driver, or else behind it"},
    {"ring", OptionType::integer, "4096", 64, kXdpRingMax, nullptr,
     "packets of a queue's receive and transmit ring, a power of two; it pins 6.2 KiB for each"},
    {"promisc", OptionType::boolean, "true", 0, 0, nullptr,
     "input: receive what is addressed to others, too; ends when the port is closed"},
    {"busy_poll", OptionType::integer, "0", 0, 4096, nullptr,
     "packets the driver may handle each time it is asked, instead of interrupts; 0: interrupts"},
};

XdpSettings read_settings(const Options& parameters, const PortContext& context) {
  XdpSettings settings;
  const std::string& mode = option_text(parameters, "mode");
  if (mode == "zerocopy") settings.mode = XdpMode::zero_copy;
  if (mode == "copy") settings.mode = XdpMode::copy;
  const std::string& attach = option_text(parameters, "attach");
  if (attach == "drv") settings.attach = XdpAttach::driver;
  if (attach == "skb") settings.attach = XdpAttach::generic;
  settings.queue = static_cast<int32_t>(option_integer(parameters, "queue"));
  if (settings.queue < 0) settings.queue = context.queue;
  settings.ring = static_cast<uint32_t>(option_integer(parameters, "ring"));
  settings.promiscuous = option_flag(parameters, "promisc");
  settings.busy_poll = static_cast<uint32_t>(option_integer(parameters, "busy_poll"));
  return settings;
}

Status open_xdp_input(const PortName& name, const Options& parameters, const PortContext& context,
                      std::unique_ptr<Input>* input) {
  return XdpInput::open(name.target, read_settings(parameters, context), context.shared_region,
                        input);
}

Status open_xdp_output(const PortName& name, const Options& parameters, const PortContext& context,
                       std::unique_ptr<Output>* output) {
  return XdpOutput::open(name.target, read_settings(parameters, context), context.shared_region,
                         output);
}

}  // namespace

const PortScheme kXdpScheme = {
    .scheme = "xdp",
    .example = "xdp:eth3",
    .as_input = "take the interface's packets through AF_XDP, before the system gets them",
    .as_output = "transmit to the interface through AF_XDP",
    .options = kXdpOptions,
    .open_input = open_xdp_input,
    .open_output = open_xdp_output,
};

}  // namespace bricks
