#include "bricks/balancer_options.hh"

#include <algorithm>

#include "wire/application.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kOptions[] = {
    {"placement", OptionType::text, "consistent", 0, 0, "consistent|least_loaded|modulo",
     "where a new flow goes: by weighted rendezvous hashing; to the output with the fewest live "
     "sessions for its weight; or as packet-bricks did, hash modulo outputs"},
    {"pin", OptionType::boolean, "placement!=modulo", 0, 0, nullptr,
     "a live flow keeps its output when outputs come and go; without, placement modulo is the same "
     "for every packet"},
    {"key", OptionType::text, "inner", 0, 0, "inner|outer",
     "which flow of a tunnelled packet counts: the innermost or the outermost"},
    {"tuple", OptionType::integer, "4", 2, 4, nullptr,
     "what makes a flow: 4 = addresses, ports and protocol; 2 = addresses only"},
    {"tenant", OptionType::boolean, "false", 0, 0, nullptr,
     "the VLAN id and the VNI are part of the flow"},
    {"weights", OptionType::number_list, "", 0, 1e6, nullptr,
     "share of each output, in their order; all alike where none are given"},
    {"related", OptionType::boolean, "true", 0, 0, nullptr,
     "what an FTP, SIP, RTSP or TFTP conversation announces goes to its output; needs pin"},
    {"on_loss", OptionType::text, "drop", 0, 0, "drop|spill|failover",
     "when an output is lost: its packets are dropped there, wait in the engine's spill buffers, "
     "or its flows go to the other outputs"},
    {"drain", OptionType::text_list, "", 0, 0, nullptr,
     "outputs that get no new flows and keep those they have until they end; needs pin"},
    {"applications", OptionType::text_list, "", 0, 0, nullptr,
     "dns=OUTPUT, tls=OUTPUT, ...: where flows go as soon as a Session brick before this one knows "
     "what they speak; needs pin"},
};

Status wrong(const std::string& what) { return {Code::invalid_argument, "LoadBalancer: " + what}; }

template <typename Value>
const Value* find_option(const Options& options, const char* name) {
  const auto found = options.find(name);
  return found == options.end() ? nullptr : std::get_if<Value>(&found->second);
}

Status read_weights(const Options& options, const BrickPlace& place, BalancerOptions* made) {
  const auto* given = find_option<std::vector<double>>(options, "weights");
  if (!given || given->empty()) {
    made->weights.assign(place.outlets, 1);
    return {};
  }
  if (given->size() != place.outlets) {
    return wrong(std::to_string(given->size()) + " weights for " + std::to_string(place.outlets) +
                 " outputs; give one for each");
  }
  if (std::none_of(given->begin(), given->end(), [](double weight) { return weight > 0; })) {
    return wrong("all weights are 0; one must be above");
  }
  if (made->placement == Placement::modulo) {
    return wrong("placement modulo knows no weights; leave one of the two out");
  }
  made->weights = *given;
  return {};
}

Status read_drain(const Options& options, const BrickPlace& place, BalancerOptions* made) {
  made->draining.assign(place.outlets, false);
  const auto* names = find_option<std::vector<std::string>>(options, "drain");
  if (!names || names->empty()) return {};
  if (!made->pin) {
    return wrong("drain needs pin = true: without pins nobody knows which flows are old");
  }
  for (const std::string& name : *names) {
    const auto found = std::find(made->names.begin(), made->names.end(), name);
    if (found == made->names.end()) return wrong("drain: it has no output " + name);
    made->draining[static_cast<size_t>(found - made->names.begin())] = true;
  }
  for (uint32_t i = 0; i < place.outlets; ++i) {
    if (!made->draining[i] && made->weights[i] > 0) return {};
  }
  return wrong("drain: no output would be left for new flows");
}

Status read_applications(const Options& options, BalancerOptions* made) {
  const auto* given = find_option<std::vector<std::string>>(options, "applications");
  if (!given || given->empty()) return {};
  if (!made->pin) {
    return wrong(
        "applications needs pin = true: most packets of a flow do not show what it speaks");
  }
  if (made->rule.outer || made->rule.addresses_only) {
    return wrong(
        "applications needs tuple = 4 and key = inner: else a flow is of several sessions, which "
        "may speak different things");
  }
  made->by_application.assign(256, UINT16_MAX);
  for (const std::string& one : *given) {
    const size_t equals = one.find('=');
    const std::string name = one.substr(0, equals);
    uint8_t number = BRICKS_PROTOCOL_UNKNOWN;
    if (equals == std::string::npos || !protocol_from_name(name, &number) ||
        number == BRICKS_PROTOCOL_UNKNOWN) {
      return wrong("applications: \"" + one.substr(0, 80) + "\" must be NAME=OUTPUT, NAME one of " +
                   (kProtocolChoices + sizeof "unknown"));
    }
    const std::string output = one.substr(equals + 1);
    const auto found = std::find(made->names.begin(), made->names.end(), output);
    if (found == made->names.end()) {
      return wrong("applications: it has no output " + output);
    }
    if (made->by_application[number] != UINT16_MAX) {
      return wrong("applications: " + name + " is there twice; one output can have it");
    }
    made->by_application[number] = static_cast<uint16_t>(found - made->names.begin());
  }
  return {};
}

}  // namespace

std::span<const OptionDescriptor> balancer_option_table() noexcept { return kOptions; }

Status read_balancer_options(const Options& options, const BrickPlace& place,
                             BalancerOptions* made) {
  const int64_t tuple = option_integer(options, "tuple");
  if (tuple == 3) {
    return wrong("tuple is 3; 2 is addresses only, 4 is addresses, ports and protocol");
  }
  const std::string& placement = option_text(options, "placement");
  made->placement = placement == "modulo"         ? Placement::modulo
                    : placement == "least_loaded" ? Placement::least_loaded
                                                  : Placement::consistent;
  const bool* pin = find_option<bool>(options, "pin");
  made->pin = pin ? *pin : made->placement != Placement::modulo;
  if (!made->pin && made->placement == Placement::least_loaded) {
    return wrong("placement least_loaded needs pin = true: it counts pinned sessions");
  }
  made->rule.outer = option_text(options, "key") == "outer";
  made->rule.addresses_only = tuple == 2;
  made->rule.tenant = option_flag(options, "tenant");
  made->related = option_flag(options, "related") && made->pin;
  made->failover = option_text(options, "on_loss") == "failover";
  made->level = place.level;
  made->names = place.outlet_names;
  Status status = read_weights(options, place, made);
  if (status.ok()) status = read_drain(options, place, made);
  return status.ok() ? read_applications(options, made) : status;
}

}  // namespace bricks
