// The end of every balancer: each packet onto the list of its outlet.
#pragma once

#include "bricks/outlets.hh"

namespace bricks {

// picks[k] goes to the end of lists[outlet[k]], in order; up to kBatchMax of them. A list has room
// for so many more; what is behind its new end is void.
void distribute(const Index* picks, const uint16_t* outlet, uint32_t count,
                std::span<Outlets::List> lists) noexcept;

}  // namespace bricks
