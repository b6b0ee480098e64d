// LoadBalancer: the kind, and what makes one of either sort.
#include "bricks/balancer.hh"

namespace bricks {

namespace {

constexpr FigureDescriptor kFigures[] = {
    {"sessions", FigureKind::gauge, "live flows that it has placed, with pin"},
    {"pinned", FigureKind::counter, "packets that went where their flow's session says"},
    {"unpinned", FigureKind::counter,
     "packets of flows for which the session table had no room: they go by the hash"},
    {"moved", FigureKind::counter, "flows that went to another output because theirs was gone"},
    {"related", FigureKind::counter,
     "flows that follow the one that announced them (FTP data, RTP of SIP and RTSP, TFTP)"},
    {"draining", FigureKind::gauge, "live flows of outputs that drain"},
    {"steered", FigureKind::counter,
     "flows that went to the output of what they speak, once that was known"},
};

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  BalancerOptions made;
  if (Status status = read_balancer_options(options, place, &made); !status.ok()) return status;
  if (made.pin && place.sessions) return PinnedBalancer::make(made, place, brick);
  *brick = make_stateless_balancer(made);
  return {};
}

}  // namespace

extern const BrickType kLoadBalancer = {
    .name = "LoadBalancer",
    .summary = "gives each flow to one of its outputs, both directions to the same",
    .details =
        "A flow is the innermost IP conversation: addresses, ports and protocol, or the "
        "addresses alone. Fragments and ICMP errors go with the flow they belong to; what is not "
        "IP goes by its pair of MAC addresses. A live flow is pinned: it keeps its output until "
        "it has ended or the output is gone. New flows go by `placement`; shares are even, or as "
        "`weights` say. A flow for which the session table has no room goes by the hash. With "
        "`applications` and a Session brick before it, a flow goes to the output named for what it "
        "speaks from the packet on that shows it: all of a DNS, QUIC or NTP conversation, of TLS "
        "or HTTP all but the handshake of TCP, which goes by `placement`. There it stays. Such an "
        "output gets other flows, too, unless its weight is 0.",
    .inputs = {1, kInletsMax},
    .outputs = {1, kOutletsMax},
    .duplicates = false,
    .reads_flows = true,
    .cuts = false,
    .options = balancer_option_table(),
    .figures = kFigures,
    .make = make,
    .spills = [](const Options& options) { return option_text(options, "on_loss") == "spill"; },
};

}  // namespace bricks
