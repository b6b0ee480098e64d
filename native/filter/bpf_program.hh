// A classic BPF program, checked once and decoded into steps that jump straight to one another.
// Gives exactly what bpf_filter() of libpcap gives; test/native/expression_agreement.cc holds both
// together.
#pragma once

#include <cstdint>
#include <vector>

#include "mem/status.hh"
#include "wire/packet.hh"

struct bpf_insn;  // pcap/bpf.h

namespace bricks {

class BpfProgram {
 public:
  // Checks and decodes `count` instructions. Refused (invalid_argument): an unknown instruction, a
  // jump out of the program, a conditional jump backwards, memory beyond 16 words, a division by
  // the constant 0, a shift of more than 31, an end without a return. `program` is set only on
  // success.
  static Status load(const bpf_insn* instructions, uint32_t count, BpfProgram* program);

  // Runs the program on the packets of `batch` named by `picks`; the picks for which it returns
  // other than 0 go to `matched` (room for `count`), in order. Returns how many. After load only.
  uint32_t match(const Batch& batch, const Index* picks, uint32_t count,
                 Index* matched) const noexcept;

  bool empty() const noexcept { return steps_.empty(); }
  uint32_t size() const noexcept { return static_cast<uint32_t>(steps_.size()); }

  struct Step {
    const void* go;  // the code that does this step
    uint32_t k;
    uint32_t offset;  // fused load and jump: where to load from; k is what to compare with
    const Step* yes;  // jumps
    const Step* no;
  };

 private:
  std::vector<Step> steps_;  // never resized after load: steps point to steps
};

}  // namespace bricks
