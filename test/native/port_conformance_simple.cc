// The suite, applied to the ports that need nobody else: pcap:, gen:, null:.
#include "check.hh"
#include "pcap_bytes.hh"
#include "ports/port_registry.hh"

using namespace bricks;
using conformance::Frame;
using conformance::PortPair;

namespace {

std::unique_ptr<Output> output_of(const std::string& port) {
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output(port, {}, &output).message, "");
  return output;
}

std::unique_ptr<Input> input_of(const std::string& port) {
  std::unique_ptr<Input> input;
  CHECK_EQ(open_input(port, {}, &input).message, "");
  return input;
}

void check_pcap(const std::string& parameters) {
  const captures::Folder folder;
  const std::string path = folder.path("a");
  PortPair pair{.name = "pcap:" + parameters};
  pair.open_output = [&] { return output_of("pcap:" + path + parameters); };
  pair.arrived = [&](bool closed) {
    return closed ? captures::read_port("pcap:" + path).frames : std::vector<Frame>();
  };
  pair.open_input = [&](const std::vector<Frame>& frames) {
    std::unique_ptr<Output> writer = output_of("pcap:" + path + parameters);
    LedgerCell cell;
    conformance::send(*writer, frames, kBatchMax, cell);
    writer->close(cell);
    return input_of("pcap:" + path);
  };
  check_port(pair);
}

}  // namespace

TEST(port_conformance_pcap) {
  check_pcap("");
  check_pcap("?ng=1");
  check_pcap("?ns=1&buffer=1");
}

TEST(port_conformance_null) {
  PortPair pair{.name = "null:"};
  pair.open_output = [] { return output_of("null:"); };
  check_port(pair);
}

TEST(port_conformance_gen) {
  PortPair pair{.name = "gen:"};
  pair.open_input = [](const std::vector<Frame>& frames) {
    return input_of("gen:60?count=" + std::to_string(frames.size()));
  };
  pair.cannot["given_frames"] = "makes its own";
  check_port(pair);
}
