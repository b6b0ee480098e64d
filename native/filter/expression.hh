// A libpcap expression (pcap-filter(7)) compiled once, run per packet by our own loop over the BPF
// program (faster than bpf_filter; checked against it in tests).
#pragma once

#include <memory>
#include <string>

#include "mem/status.hh"
#include "wire/packet.hh"

namespace bricks {

class Expression {
 public:
  virtual ~Expression() = default;
  // Keeps the picks that match; returns how many were written to `matched` (room for `count`).
  // Packets of a link type for which the expression has no meaning (e.g. `ether host` on raw IP) do
  // not match. A batch has one link type.
  virtual uint32_t match(const Batch& batch, const Index* picks, uint32_t count,
                         Index* matched) const noexcept = 0;
  virtual const std::string& text() const noexcept = 0;
};

// invalid_argument with libpcap's own words where the text does not compile for Ethernet, or has
// more than 8,192 bytes. Texts of over 1,024 bytes match on the link types of wire/link_type.hh
// only. Takes under 1 ms for a usual text, seconds for the longest (libpcap). Thread-safe.
Status compile_expression(const std::string& text, std::unique_ptr<Expression>* expression);

}  // namespace bricks
