// The options of a Session: one table for checks, help and docs/bricks.md.
#pragma once

#include "bricks/brick.hh"
#include "plugins/session_worker.hh"

namespace bricks {

std::span<const OptionDescriptor> session_option_table() noexcept;
// invalid_argument.
Status read_session_options(const Options& options, const BrickPlace& place, SessionSettings* made);
// Are those of streams alike, which stay as they were when the brick was linked?
bool same_payload_options(const Options& a, const Options& b);

}  // namespace bricks
