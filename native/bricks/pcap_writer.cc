// PcapWriter: writes capture files. The files are `pcap:` outputs; plain names are made into such
// by whoever builds the graph.
#include "bricks/pass_through.hh"

namespace bricks {

extern const BrickType kPcapWriter = {
    .name = "PcapWriter",
    .summary = "writes every packet to a capture file",
    .details =
        "Its output is a file name, or a pcap: port with options "
        "(`pcap:out.pcapng?ng=1`, `pcap:out.pcap?rotate_mb=100&keep=10`). Every packet keeps "
        "its own timestamp and length.",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = false,
    .cuts = false,
    .options = {},
    .make = make_pass_through,
};

}  // namespace bricks
