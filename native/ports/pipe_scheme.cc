// A pipe has two ends, `x{N` and `x}N`: what is written at one is read at the other, both ways, by
// programs and engines alike.
#include <algorithm>
#include <cmath>

#include "ports/pipe_input.hh"
#include "ports/pipe_output.hh"
#include "ports/port_schemes.hh"
#include "ports/spill_output.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kOptions[] = {
    {"slots", OptionType::integer, "0", 0, kPipeSlotsMax, nullptr,
     "slots of the ring, a power of two; 0: as the engine says (1,024)"},
    {"heartbeat", OptionType::number, "5", 0, kHeartbeatMaxMs / 1000, nullptr,
     "seconds without a sign of life after which the consumer counts as hung; 0: never"},
    {"restart_buffer", OptionType::number, "0", 0, kRestartBufferMaxMs / 1000, nullptr,
     "seconds that packets wait in the engine's spill pool for a consumer that has left; they wait "
     "there, too, for one that is there and does not read"},
    {"spill", OptionType::integer, "0", 0, kSpillBuffersMax, nullptr,
     "buffers of the engine's pool that it may spill to when full, and keep for a consumer that "
     "reloads; 0: all of them where the engine or its LoadBalancer spills"},
    {"user", OptionType::text, "", 0, 0, nullptr,
     "who may read it, beside root and the daemon's user: a name or number"},
    {"group", OptionType::text, "", 0, 0, nullptr, "a group whose members may read it"},
    {"mode", OptionType::text, "", 0, 0, nullptr,
     "as a file's: whose read bit is set may; 0600, with a group 0640"},
    {"filter", OptionType::text, "", 0, 0, nullptr,
     "libpcap expression: nothing else ever reaches the pipe; the last parameter, may have blanks"},
};

Status refuse(const PortName& name, const std::string& why) {
  return {Code::invalid_argument, "output " + name.text + ": " + why};
}

uint32_t milliseconds(const Options& parameters, const char* option) {
  return static_cast<uint32_t>(std::lround(option_number(parameters, option) * 1000));
}

Status read_settings(const PortName& name, const Options& parameters, const PortContext& context,
                     PipeSettings* settings) {
  if (Status s = parse_pipe_access("output " + name.text, parameters, &settings->access); !s.ok()) {
    return s;
  }
  const bool filtered = !option_text(parameters, "filter").empty();
  if (filtered && !context.filters) {
    return refuse(name, "a filter takes an engine; this is opened without one");
  }
  if (context.shared_region && (filtered || settings->access.shared)) {
    return refuse(name, "engine " + context.owner +
                            " keeps all packets in one memory, so whoever reads a pipe could see "
                            "every packet; make the engine without { shared = true }");
  }
  settings->exact = filtered || settings->access.shared;
  settings->heartbeat_ms = milliseconds(parameters, "heartbeat");
  settings->patience_ms = std::max(kLosslessStallMs, milliseconds(parameters, "restart_buffer"));
  settings->doorbell = context.doorbell;
  return {};
}

Status read_policy(const PortName& name, const Options& parameters, const PortContext& context,
                   SpillPolicy* policy, std::shared_ptr<SpillPool>* pool) {
  policy->buffers = static_cast<uint32_t>(option_integer(parameters, "spill"));
  policy->restart_ms = milliseconds(parameters, "restart_buffer");
  policy->always = context.all_spill || policy->buffers != 0;
  if (!policy->always && policy->restart_ms == 0) return {};
  if (!context.spills) return refuse(name, "to spill takes an engine; this is opened without one");
  if (policy->buffers > context.spills->buffers()) {
    return refuse(name, "spill is " + std::to_string(policy->buffers) + " buffers, but engine " +
                            context.owner + " has " + std::to_string(context.spills->buffers()) +
                            "; make it with { spill = " + std::to_string(policy->buffers) + " }");
  }
  return context.spills->get(pool);
}

Status open_for_reading(const PortName& name, const Options&, const PortContext& context,
                        std::unique_ptr<Input>* input) {
  return open_pipe_input(name.target, context, input);
}

Status open_for_writing(const PortName& name, const Options& parameters, const PortContext& context,
                        std::unique_ptr<Output>* output) {
  const int64_t asked = option_integer(parameters, "slots");
  const uint32_t slots = asked ? static_cast<uint32_t>(asked) : context.pipe_slots;
  std::unique_ptr<PipeOutput> made;
  PipeSettings settings;
  SpillPolicy policy;
  std::shared_ptr<SpillPool> pool;
  Status status = read_settings(name, parameters, context, &settings);
  if (status.ok()) status = read_policy(name, parameters, context, &policy, &pool);
  if (status.ok()) {
    status =
        PipeOutput::open(name.target, slots, context.shared_region, context.pipes, &made, settings);
  }
  if (!status.ok()) return status;
  *output = std::make_unique<SpillOutput>(std::move(made), std::move(pool), policy);
  return {};
}

}  // namespace

const PortScheme kPipeScheme = {
    .scheme = "pipe",
    .example = "eth3{0",
    .as_input = "reads what a program or another engine writes at the other end of the pipe",
    .as_output = "fills the pipe; one program or engine reads it at the other end, eth3}0",
    .options = kOptions,
    .open_input = open_for_reading,
    .open_output = open_for_writing,
};

}  // namespace bricks
