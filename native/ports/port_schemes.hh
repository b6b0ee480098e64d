// The schemes this build opens, each defined in its own port's file and listed in port_registry.cc.
#pragma once

#include "ports/port_registry.hh"

namespace bricks {

extern const PortScheme kFifoScheme;    // fifo_port.cc
extern const PortScheme kGenScheme;     // gen_input.cc
extern const PortScheme kNetmapScheme;  // netmap_*.cc
extern const PortScheme kNullScheme;    // null_output.cc
extern const PortScheme kPacketScheme;  // packet_*.cc
extern const PortScheme kPcapScheme;    // pcap_port.cc
extern const PortScheme kPipeScheme;    // pipe_output.cc
extern const PortScheme kTapScheme;     // tap_port.cc
extern const PortScheme kTcpScheme;     // tcp_port.cc
extern const PortScheme kVethScheme;    // veth_port.cc
extern const PortScheme kXdpScheme;     // xdp_scheme.cc

}  // namespace bricks
