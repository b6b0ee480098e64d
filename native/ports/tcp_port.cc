// The tcp: scheme: pcap-over-IP, as Wireshark's TCP@HOST:PORT, Arkime and NetworkMiner read it.
#include "ports/port_schemes.hh"
#include "ports/tcp_sink.hh"

namespace bricks {
namespace {

constexpr OptionDescriptor kOptions[] = {
    {"public", OptionType::boolean, "0", 0, 0, nullptr,
     "listen where other machines can connect, too; nobody is asked for a password"},
    {"select", OptionType::text, "", 0, 0, nullptr,
     "outputs with such a name share a port: a client gets the one whose name it sends, as a line, "
     "and the first when it sends nothing"},
    {"max", OptionType::integer, "8", 1, 1024, nullptr,
     "clients at a time; who comes beyond them is turned away"},
    {"client_buffer", OptionType::integer, "4", 1, 1024, nullptr,
     "MiB for each client; one that is slower than that loses packets, the others do not"},
    {"buffer", OptionType::integer, "4", 1, 4096, nullptr,
     "MiB between the engine and the server, rounded up to a power of two"},
    {"ng", OptionType::boolean, "0", 0, 0, nullptr,
     "pcapng: any mix of link types, interface names, drop counts at the end"},
    {"ns", OptionType::boolean, "0", 0, 0, nullptr, "nanoseconds in a pcap stream"},
};

Status open_output(const PortName& name, const Options& options, const PortContext& context,
                   std::unique_ptr<Output>* output) {
  const std::string& target = name.target;
  const size_t colon = target.rfind(':');
  TcpSettings settings;
  if (colon != std::string::npos) {
    settings.address.host = target.substr(0, colon);
    settings.address.port = target.substr(colon + 1);
  }
  std::string& host = settings.address.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || settings.address.port.empty()) {
    return {Code::invalid_argument,
            name.text + ": it takes an address and a port, as in tcp:127.0.0.1:5555"};
  }
  settings.address.public_too = option_flag(options, "public");
  settings.select = option_text(options, "select");
  if (settings.select.size() > kTcpSelectMax) {
    return {Code::invalid_argument,
            name.text + ": select has more than " + std::to_string(kTcpSelectMax) + " bytes"};
  }
  settings.clients_max = static_cast<uint32_t>(option_integer(options, "max"));
  settings.client_bytes = static_cast<uint64_t>(option_integer(options, "client_buffer")) << 20;
  CaptureStyle style;
  style.ng = option_flag(options, "ng");
  style.nanos = option_flag(options, "ns");
  style.snap_length = kFrameMax;
  style.name = context.owner;
  style.description = name.text;
  std::unique_ptr<FrameSink> sink;
  Status status = TcpSink::open(settings, std::move(style), &sink);
  if (!status.ok()) return status;
  const auto bytes = static_cast<uint64_t>(option_integer(options, "buffer")) << 20;
  return QueuedOutput::open(std::move(sink), "tcp-server", bytes, output);
}

}  // namespace

const PortScheme kTcpScheme = {
    .scheme = "tcp",
    .example = "tcp:127.0.0.1:5555",
    .as_input = nullptr,
    .as_output =
        "serves a capture to whoever connects (pcap-over-IP): tshark -i "
        "TCP@127.0.0.1:5555; each client gets what comes from then on",
    .options = kOptions,
    .open_input = nullptr,
    .open_output = open_output,
};

}  // namespace bricks
