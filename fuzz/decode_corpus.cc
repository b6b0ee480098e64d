// Writes the seeds of the decoder's fuzzer into a folder: one packet of every encapsulation,
// fragment and ICMP error that decode() follows, as fuzz/decode.cc reads them.
#include <cstdio>
#include <string>

#include "encapsulations.hh"

namespace {

using namespace bricks::frames;

uint32_t written = 0;

bool write_seed(const std::string& folder, uint8_t first, const Bytes& packet) {
  const std::string path = folder + "/" + std::to_string(written++);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return false;
  const Bytes seed = Bytes{first} + packet;
  const bool whole = std::fwrite(seed.data(), 1, seed.size(), file) == seed.size();
  return std::fclose(file) == 0 && whole;
}

// What the tunnels' list does not have: fragments and errors.
std::vector<Bytes> others() {
  const Ends e = {};
  const Bytes long_udp = udp(5000, 4789, vxlan(1, inner_frame(e)));
  const Bytes head(long_udp.begin(), long_udp.begin() + 48), tail(8, 't');
  return {ethernet(e, 0x0806, Bytes(28)),
          ethernet(e, 0x0800, ip4(e, {.protocol = 17, .more = true}, head)),
          ethernet(e, 0x0800, ip4(e, {.protocol = 17, .at = 48}, tail)),
          ethernet(e, 0x86dd, ip6(e, {.protocol = 44}, fragment6(17, 0, true, 9, head))),
          ethernet(e, 0x86dd, ip6(e, {.protocol = 44}, fragment6(17, 48, false, 9, tail))),
          ethernet(e, 0x0800, ip4(e, {.protocol = 1}, icmp(3, 4, inner4(e)))),
          ethernet(e, 0x86dd, ip6(e, {.protocol = 58}, icmp(2, 0, inner6(e))))};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: decode_corpus FOLDER\n");
    return 2;
  }
  bool good = true;
  constexpr uint8_t kRawIp = 5, kCut = 0x80;  // as fuzz/decode.cc counts link types
  for (const Encapsulated& one : encapsulations({})) {
    good &= write_seed(argv[1], 0, one.frame) && write_seed(argv[1], kCut, one.frame);
    good &= write_seed(argv[1], kRawIp, Bytes(one.frame.begin() + 14, one.frame.end()));
  }
  for (const Bytes& frame : others()) good &= write_seed(argv[1], 0, frame);
  if (!good) std::perror(argv[1]);
  return good ? 0 : 1;
}
