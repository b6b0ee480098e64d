// Faults on purpose, for the test of `bricks verify`: only in builds with FAULTS=1 (BRICKS_FAULTS).
// BRICKS_FAULT=flip:N, drop:N, swap:N or bit:N does it to one packet in about N: to another output,
// to nowhere and uncounted, before its flow's packet ahead, a bit turned over.
#pragma once

#include <span>

#include "bricks/outlets.hh"

namespace bricks {

void inject_fault(Batch& batch, std::span<Outlets::List> lists) noexcept;

}  // namespace bricks
