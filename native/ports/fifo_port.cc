// The fifo: scheme: a capture into a named pipe, for any program that reads captures.
#include <cstdlib>

#include "ports/fifo_sink.hh"
#include "ports/port_schemes.hh"

namespace bricks {
namespace {

constexpr OptionDescriptor kOptions[] = {
    {"ng", OptionType::boolean, "0", 0, 0, nullptr,
     "pcapng: any mix of link types, interface names, drop counts at the end"},
    {"ns", OptionType::boolean, "0", 0, 0, nullptr, "nanoseconds in a pcap stream"},
    {"buffer", OptionType::integer, "4", 1, 4096, nullptr,
     "MiB between the engine and the reader, rounded up to a power of two"},
    {"mode", OptionType::text, "0600", 0, 0, nullptr,
     "who may read it, in octal, where it is made: 0640, 0644"},
};

Status open_output(const PortName& name, const Options& options, const PortContext& context,
                   std::unique_ptr<Output>* output) {
  const std::string& text = option_text(options, "mode");
  char* end = nullptr;
  const unsigned long mode = std::strtoul(text.c_str(), &end, 8);
  if (text.empty() || *end != '\0' || mode > 0777 || (mode & 0400) == 0) {
    return {Code::invalid_argument, name.text + ": mode is \"" + text.substr(0, 40) +
                                        "\", which must be octal and let the owner read, as in "
                                        "?mode=0640"};
  }
  CaptureStyle style;
  style.ng = option_flag(options, "ng");
  style.nanos = option_flag(options, "ns");
  style.name = context.owner;
  style.description = name.text;
  std::unique_ptr<FrameSink> sink;
  Status status = FifoSink::open(name.target, static_cast<uint32_t>(mode), std::move(style), &sink);
  if (!status.ok()) return status;
  const auto bytes = static_cast<uint64_t>(option_integer(options, "buffer")) << 20;
  return QueuedOutput::open(std::move(sink), "fifo-writer", bytes, output);
}

}  // namespace

const PortScheme kFifoScheme = {
    .scheme = "fifo",
    .example = "fifo:/tmp/a.fifo",
    .as_input = nullptr,
    .as_output =
        "a capture into a named pipe, which is made where there is none: any tool's "
        "-r PATH; one reader after the other, each gets a capture of its own",
    .options = kOptions,
    .open_input = nullptr,
    .open_output = open_output,
};

}  // namespace bricks
