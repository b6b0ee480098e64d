// PcapReader: replays capture files. Reading is the `pcap:` inputs' work; with several outputs the
// packets are balanced by flow.
#include "bricks/pass_through.hh"

namespace bricks {

extern const BrickType kLoadBalancer;

namespace {

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  if (place.outlets == 1) return make_pass_through(options, place, brick);
  Options defaults;
  Status status = check_options("PcapReader", kLoadBalancer.options, &defaults);
  return status.ok() ? kLoadBalancer.make(defaults, place, brick) : status;
}

}  // namespace

extern const BrickType kPcapReader = {
    .name = "PcapReader",
    .summary = "replays capture files, by flow when it has several outputs",
    .details =
        "Its inputs are files or folders (every file in it that ends in pcap or pcapng, by "
        "name), or pcap: ports with options. It ends when its files end, and waits for its "
        "outputs rather than lose a packet.",
    .inputs = {1, kInletsMax},
    .outputs = {1, kOutletsMax},
    .duplicates = false,
    .reads_flows = true,
    .cuts = false,
    .options = {},
    .make = make,
};

}  // namespace bricks
