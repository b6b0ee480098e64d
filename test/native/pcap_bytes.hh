// Captures made in memory, every variant of the formats, and a folder to put them into.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "port_conformance.hh"

namespace captures {

using Bytes = std::string;

// How a capture's numbers are written.
struct Style {
  bool big_endian = false;
  uint32_t magic = 0xa1b2c3d4;  // classic: resolution and record size follow from it
  uint16_t minor = 4;           // classic: before 3 the two lengths are exchanged
};

Bytes number(const Style& style, uint64_t value, uint32_t bytes);
Bytes pcap_header(const Style& style, uint32_t link);
Bytes pcap_record(const Style& style, const conformance::Frame& frame);
Bytes pcap_file(const Style& style, const std::vector<conformance::Frame>& frames);

Bytes block(const Style& style, uint32_t type, const Bytes& body);
Bytes section(const Style& style);
Bytes option(const Style& style, uint16_t code, const Bytes& value);
// `options` without the end; it is added when there are any.
Bytes interface(const Style& style, uint16_t link, uint32_t snap_length, const Bytes& options);
Bytes packet_block(const Style& style, uint32_t interface, uint64_t ticks,
                   const conformance::Frame& frame, const Bytes& options = {});
Bytes old_packet_block(const Style& style, uint16_t interface, uint64_t ticks,
                       const conformance::Frame& frame);
Bytes simple_block(const Style& style, const conformance::Frame& frame);

// A folder that goes away with everything in it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const Bytes& bytes) const;  // its path
  Bytes read(const std::string& name) const;

 private:
  std::string path_;
};

// All frames that `port` ("pcap:...") gives as an input; what went wrong in *problem.
struct Reading {
  bricks::Status status;
  std::vector<conformance::Frame> frames;
  bricks::LedgerCell cell;
  std::string warning;
};
Reading read_port(const std::string& port, uint32_t batch = bricks::kBatchMax);

}  // namespace captures
