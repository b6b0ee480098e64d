#include "ports/port_registry.hh"

#include <algorithm>

#include "ports/port_schemes.hh"

namespace bricks {
namespace {

constexpr const PortScheme* kSchemes[] = {&kPacketScheme, &kNetmapScheme, &kXdpScheme, &kPipeScheme,
                                          &kPcapScheme,   &kFifoScheme,   &kTapScheme, &kTcpScheme,
                                          &kVethScheme,   &kGenScheme,    &kNullScheme};
// The ways to open a plain interface, best first; the last one serves any.
constexpr const PortScheme* kInterfaceSchemes[] = {&kNetmapScheme, &kXdpScheme, &kPacketScheme};

struct Opening {
  PortName name;
  Options parameters;
  const PortScheme* scheme = nullptr;
};

// Options of every parameter that was given: who asks for a way's own option asks for that way.
bool knows(const PortScheme& scheme, const PortName& name) {
  return std::all_of(name.parameters.begin(), name.parameters.end(), [&](const auto& parameter) {
    return std::any_of(scheme.options.begin(), scheme.options.end(),
                       [&](const auto& option) { return parameter.first == option.name; });
  });
}

const PortScheme* way_to(const PortName& name) {
  for (const PortScheme* scheme : kInterfaceSchemes) {
    if (knows(*scheme, name) && scheme->serves(name)) return scheme;
  }
  return &kPacketScheme;  // which says what it does not know
}

Status prepare(const std::string& text, Opening* opening) {
  Status status = parse_port_name(text, &opening->name);
  if (!status.ok()) return status;
  for (const PortScheme* scheme : kSchemes)
    if (opening->name.scheme == scheme->scheme) opening->scheme = scheme;
  if (opening->name.scheme == kPlainInterface) opening->scheme = way_to(opening->name);
  if (!opening->scheme) {
    std::string known;
    for (const PortScheme* scheme : kSchemes)
      known += (known.empty() ? "" : ", ") + std::string(scheme->example);
    return {Code::unsupported, "\"" + text + "\": this build of bricks has no " +
                                   opening->name.scheme + ": port; what it opens: " + known};
  }
  for (const auto& [key, value] : opening->name.parameters) opening->parameters[key] = value;
  return check_options(text, opening->scheme->options, &opening->parameters);
}

Status wrong_direction(const Opening& opening, const char* wanted, const char* use) {
  return {Code::invalid_port_name, "\"" + opening.name.text + "\" cannot be an " + wanted + ": " +
                                       opening.scheme->scheme + ": " + use};
}

}  // namespace

std::span<const PortScheme* const> port_schemes() noexcept { return kSchemes; }

Status open_input(const std::string& name, const PortContext& context,
                  std::unique_ptr<Input>* input) {
  Opening opening;
  Status status = prepare(name, &opening);
  if (!status.ok()) return status;
  if (!opening.scheme->open_input) {
    return wrong_direction(opening, "input", "only takes packets; try pcap:FILE or gen:60");
  }
  return opening.scheme->open_input(opening.name, opening.parameters, context, input);
}

Status open_output(const std::string& name, const PortContext& context,
                   std::unique_ptr<Output>* output) {
  Opening opening;
  Status status = prepare(name, &opening);
  if (!status.ok()) return status;
  if (!opening.scheme->open_output) {
    return wrong_direction(opening, "output", "only gives packets; try pcap:FILE or null:");
  }
  return opening.scheme->open_output(opening.name, opening.parameters, context, output);
}

}  // namespace bricks
