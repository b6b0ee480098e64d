// Port names (docs: ports.md) and what opens them. The one list of schemes is port_registry.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mem/option.hh"
#include "mem/status.hh"
#include "ports/port.hh"

namespace bricks {

class PipeDirectory;  // ports/pipe_directory.hh: the pipes of this process
class Region;
class Doorbell;     // ports/doorbell.hh
class SpillSource;  // ports/spill_pool.hh

// "pcap:in.pcap?speed=1&loop=3" -> scheme "pcap", target "in.pcap", parameters as text.
// "eth3{0", "netmap:eth3}0" -> scheme "pipe", target "eth3{0". "eth3" -> kPlainInterface.
inline constexpr const char* kPlainInterface = "interface";

struct PortName {
  std::string text;  // as given
  std::string scheme;
  std::string target;
  std::vector<std::pair<std::string, std::string>> parameters;
};

// Syntax only: opens nothing. invalid_port_name says what is wrong and shows a right one.
Status parse_port_name(const std::string& text, PortName* name);

// "eth3{0?slots=64" -> "eth3{0"; names of other ports as they are.
std::string bare_pipe_name(const std::string& name);

// The other end's name: "eth3{0" <-> "eth3}0" (the last brace counts); other names as they are.
std::string flip_pipe_name(const std::string& name);

// What an engine hands to the ports it opens. Outlives them.
struct PortContext {
  PipeDirectory* pipes = nullptr;
  std::shared_ptr<Region> shared_region;  // set: pipes and gen: live in it and exchange buffers
  uint32_t pipe_slots = kPipeSlotsDefault;
  std::shared_ptr<SpillSource> spills;  // where pipes get a pool to spill to; null: there is none
  bool all_spill = false;               // all do; else those that ask, or are told to (Output)
  std::shared_ptr<Doorbell> doorbell;   // rung when a consumer comes or goes; may be null
  bool filters = false;  // the engine filters what an output's parameter `filter` says
  int32_t queue = -1;    // qid: that hardware queue only; -1 all
  std::string owner;     // the engine's name, for messages
};

struct PortScheme {
  const char* scheme;
  const char* example;
  const char* as_input;                       // one line, nullptr where it cannot be one
  const char* as_output;                      // likewise
  std::span<const OptionDescriptor> options;  // after '?'
  // `parameters` are checked and complete. Null where as_input / as_output is.
  Status (*open_input)(const PortName&, const Options& parameters, const PortContext&,
                       std::unique_ptr<Input>*);
  Status (*open_output)(const PortName&, const Options& parameters, const PortContext&,
                        std::unique_ptr<Output>*);
  // Whether a plain interface should be opened this way on this machine; null: it is no such way.
  bool (*serves)(const PortName&) = nullptr;
};

std::span<const PortScheme* const> port_schemes() noexcept;

Status open_input(const std::string& name, const PortContext& context, std::unique_ptr<Input>*);
Status open_output(const std::string& name, const PortContext& context, std::unique_ptr<Output>*);

}  // namespace bricks
