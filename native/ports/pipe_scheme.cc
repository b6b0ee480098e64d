// `x{N` is written by an engine, `x}N` read by whoever is behind it: a program, or another engine.
#include "ports/pipe_input.hh"
#include "ports/pipe_output.hh"
#include "ports/port_schemes.hh"
#include "ports/spill_output.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kOptions[] = {
    {"slots", OptionType::integer, "0", 0, kPipeSlotsMax, nullptr,
     "slots of the ring, a power of two; 0: as the engine says (1,024)"},
};

bool is_consumer_end(const std::string& name) { return name[name.find_last_of("{}")] == '}'; }

Status open_for_reading(const PortName& name, const Options&, const PortContext& context,
                        std::unique_ptr<Input>* input) {
  if (!is_consumer_end(name.target)) {
    return {Code::invalid_port_name, "input " + name.text +
                                         " is the writing end of a pipe; to read "
                                         "it, write " +
                                         flip_pipe_name(name.target)};
  }
  return open_pipe_input(name.target, context, input);
}

Status open_for_writing(const PortName& name, const Options& parameters, const PortContext& context,
                        std::unique_ptr<Output>* output) {
  if (is_consumer_end(name.target)) {
    return {Code::invalid_port_name, "output " + name.text +
                                         " is the reading end of a pipe; to "
                                         "fill it, write " +
                                         flip_pipe_name(name.target)};
  }
  const int64_t asked = option_integer(parameters, "slots");
  const uint32_t slots = asked ? static_cast<uint32_t>(asked) : context.pipe_slots;
  std::unique_ptr<PipeOutput> made;
  Status status = PipeOutput::open(name.target, slots, context.shared_region, context.pipes, &made);
  if (!status.ok()) return status;
  if (context.spill) {
    *output = std::make_unique<SpillOutput>(std::move(made), context.spill);
  } else {
    *output = std::move(made);
  }
  return {};
}

}  // namespace

const PortScheme kPipeScheme = {
    .scheme = "pipe",
    .example = "eth3{0",
    .as_input = "reads eth3}0, the consumer's end of a pipe that another engine fills",
    .as_output = "fills eth3{0; one program reads it as eth3}0",
    .options = kOptions,
    .open_input = open_for_reading,
    .open_output = open_for_writing,
};

}  // namespace bricks
