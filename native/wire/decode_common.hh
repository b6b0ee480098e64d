// The second path of decode(): what is nearly as plain, in any mixture. Ethernet only.
#pragma once

#include "wire/flow_hash.hh"
#include "wire/packet.hh"

namespace bricks {

// False: the packet is of another kind, and nothing has been done.
bool decode_common(Batch& batch, uint32_t i, const HashSeed& seed) noexcept;

// All packets from number `i` on but those of another kind: they are listed in `others` (room for
// kBatchMax); returns how many.
uint32_t decode_mixed(Batch& batch, uint32_t i, const HashSeed& seed, Index* others) noexcept;

}  // namespace bricks
