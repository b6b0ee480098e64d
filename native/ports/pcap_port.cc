// The pcap: scheme: its options, and which of them go with which direction.
#include <algorithm>
#include <cstdlib>

#include "ports/capture_list.hh"
#include "ports/pcap_input.hh"
#include "ports/pcap_output.hh"
#include "ports/port_schemes.hh"

namespace bricks {
namespace {

constexpr double kSpeedMin = 1e-6, kSpeedMax = 1e6;

constexpr OptionDescriptor kOptions[] = {
    {"speed", OptionType::text, "max", 0, 0, nullptr,
     "input: max, or how many times the capture's own pace: 1, 10, 0.5"},
    {"loop", OptionType::integer, "1", 0, 1e15, nullptr,
     "input: how often the files are read; 0 for ever"},
    {"lossless", OptionType::boolean, "1", 0, 0, nullptr,
     "input: wait for outputs that are full; 0 drops instead, as a device would"},
    {"ng", OptionType::boolean, "0", 0, 0, nullptr,
     "output: pcapng, any mix of link types, interface names, drop counts"},
    {"ns", OptionType::text, "auto", 0, 0, "auto|0|1|true|false",
     "output: nanoseconds in a pcap file; auto: when the first packets have them"},
    {"buffer", OptionType::integer, "4", 1, 4096, nullptr,
     "output: MiB between the engine and the file, rounded up to a power of two"},
    {"rotate_mb", OptionType::integer, "0", 0, 1e9, nullptr,
     "output: a new file before one has more than so many million bytes, as tcpdump's -C; 0: "
     "never"},
    {"rotate_s", OptionType::integer, "0", 0, 1e9, nullptr,
     "output: a new file when a packet is so many seconds later than the first, as tcpdump's -G"},
    {"keep", OptionType::integer, "0", 0, 1e6, nullptr,
     "output: only so many files stay, the newest, as tcpdump's -W; 0: all"},
};

Status refuse_foreign(const PortName& name, std::initializer_list<const char*> foreign,
                      const char* here, const char* there) {
  for (const auto& [key, value] : name.parameters)
    for (const char* option : foreign)
      if (key == option) {
        return {Code::invalid_argument, name.text + ": " + key + " is an option of " + there +
                                            ", this is an " + here + "; leave it out"};
      }
  return {};
}

Status open_input(const PortName& name, const Options& options, const PortContext&,
                  std::unique_ptr<Input>* input) {
  Status status = refuse_foreign(name, {"ng", "ns", "buffer", "rotate_mb", "rotate_s", "keep"},
                                 "input", "outputs");
  if (!status.ok()) return status;
  PcapReplay replay;
  const std::string& speed = option_text(options, "speed");
  if (speed != "max") {
    char* end = nullptr;
    replay.speed = std::strtod(speed.c_str(), &end);
    if (speed.empty() || *end != '\0' || !(replay.speed >= kSpeedMin) ||
        !(replay.speed <= kSpeedMax)) {
      return {Code::invalid_argument, name.text + ": speed is \"" + speed.substr(0, 40) +
                                          "\", which must be max or a factor from 0.000001 to "
                                          "1000000, as in ?speed=10"};
    }
  }
  replay.loops = static_cast<uint64_t>(option_integer(options, "loop"));
  replay.lossless = option_flag(options, "lossless");
  std::vector<std::string> files;
  status = expand_captures(name.target, &files);
  return status.ok() ? PcapInput::open(std::move(files), replay, input) : status;
}

Status open_output(const PortName& name, const Options& options, const PortContext& context,
                   std::unique_ptr<Output>* output) {
  Status status = refuse_foreign(name, {"speed", "loop", "lossless"}, "output", "inputs");
  if (!status.ok()) return status;
  PcapFormat format;
  format.ng = option_flag(options, "ng");
  format.name = context.owner;
  format.description = name.text;
  const std::string& ns = option_text(options, "ns");
  if (ns != "auto") {
    const bool nanos = ns == "1" || ns == "true";
    format.precision = nanos ? PcapPrecision::nanos : PcapPrecision::micros;
  }
  format.buffer_bytes = static_cast<uint64_t>(option_integer(options, "buffer")) << 20;
  Rotation& rotation = format.rotation;
  rotation.bytes = static_cast<uint64_t>(option_integer(options, "rotate_mb")) * 1'000'000;
  rotation.time = static_cast<Nanos>(option_integer(options, "rotate_s")) * 1'000'000'000;
  rotation.keep = static_cast<uint32_t>(option_integer(options, "keep"));
  if (rotation.keep != 0 && !rotation.active()) {
    return {Code::invalid_argument, name.text +
                                        ": keep is for files that follow each other; add "
                                        "rotate_mb=100 or rotate_s=3600"};
  }
  return PcapOutput::open(name.target, format, output);
}

}  // namespace

const PortScheme kPcapScheme = {
    .scheme = "pcap",
    .example = "pcap:in.pcap",
    .as_input = "reads pcap and pcapng files: FILE, FOLDER/, PATTERN* or a list FILE,FILE",
    .as_output = "writes a pcap file, with ?ng=1 a pcapng file",
    .options = kOptions,
    .open_input = open_input,
    .open_output = open_output,
};

}  // namespace bricks
