// The xdp: scheme: a network interface through AF_XDP.
#include <algorithm>

#include "ports/port_schemes.hh"
#include "ports/xdp_choice.hh"
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

// Asks for AF_XDP itself, by what only it knows.
bool asks_for_xdp(const PortName& name) {
  return std::any_of(name.parameters.begin(), name.parameters.end(), [](const auto& parameter) {
    return parameter.first != "promisc" && parameter.first != "ring";
  });
}

// `ring` counts other things elsewhere.
bool suits(const PortName& name) {
  if (asks_for_xdp(name)) return true;
  for (const auto& [key, value] : name.parameters)
    if (key == "ring") return false;
  Interface interface;
  return find_xdp_interface(name.target, &interface).ok() &&
         why_not_xdp(look_for_xdp(interface)).empty();
}

// A plain interface for which nobody said AF_XDP: zero-copy, or AF_PACKET, as describe() says.
bool is_chosen(const PortName& name) {
  return name.scheme == kPlainInterface && !asks_for_xdp(name);
}

XdpSettings chosen_settings(XdpSettings settings) {
  settings.mode = XdpMode::zero_copy;
  settings.attach = XdpAttach::driver;
  return settings;
}

Status packet_options(const PortName& name, Options* options) {
  for (const auto& [key, value] : name.parameters) (*options)[key] = value;
  return check_options(name.text, kPacketScheme.options, options);
}

Status open_xdp_input(const PortName& name, const Options& parameters, const PortContext& context,
                      std::unique_ptr<Input>* input) {
  const XdpSettings settings = read_settings(parameters, context);
  if (!is_chosen(name)) {
    return XdpInput::open(name.target, settings, context.shared_region, input);
  }
  if (XdpInput::open(name.target, chosen_settings(settings), context.shared_region, input).ok()) {
    return {};
  }
  Options options;
  if (Status status = packet_options(name, &options); !status.ok()) return status;
  return kPacketScheme.open_input(name, options, context, input);
}

Status open_xdp_output(const PortName& name, const Options& parameters, const PortContext& context,
                       std::unique_ptr<Output>* output) {
  const XdpSettings settings = read_settings(parameters, context);
  if (!is_chosen(name)) {
    return XdpOutput::open(name.target, settings, context.shared_region, output);
  }
  if (XdpOutput::open(name.target, chosen_settings(settings), context.shared_region, output).ok()) {
    return {};
  }
  Options options;
  if (Status status = packet_options(name, &options); !status.ok()) return status;
  return kPacketScheme.open_output(name, options, context, output);
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
    .serves = suits,
};

}  // namespace bricks
