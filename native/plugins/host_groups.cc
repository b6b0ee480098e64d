// The part of bricks_host that is about groups of a rate: those of the process.
#include "plugins/host_calls.hh"
#include "queues/queue_groups.hh"

namespace bricks {

bool HostCalls::has_group(uint32_t group) noexcept { return process_queue_groups().has(group); }

int HostCalls::create_group(uint32_t group, uint64_t rate, uint64_t burst) noexcept {
  const Status status = process_queue_groups().create(group, default_queue(rate, burst));
  if (status.ok()) return BRICKS_DONE;
  return status.code == Code::limit_reached ? BRICKS_ENOMEM : BRICKS_EINVAL;
}

int HostCalls::delete_group(uint32_t group) noexcept {
  return process_queue_groups().remove(group).ok() ? BRICKS_DONE : BRICKS_ENOENT;
}

}  // namespace bricks
