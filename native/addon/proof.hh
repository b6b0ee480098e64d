// Explanations, and what a machine says of itself.
#pragma once

#include <napi.h>

#include <string>
#include <utility>
#include <vector>

#include "mem/status.hh"

namespace bricks::addon {

// interface.cc: what the kernel tells of an interface by ethtool's ioctl; -1, or empty: not told.
struct InterfaceState {
  std::string driver;
  bool up = false, running = false, promiscuous = false;
  std::vector<std::pair<std::string, bool>> offloads;  // gro, lro, tso, gso, rxvlan, rxhash
  int64_t ring_now = -1, ring_most = -1;               // receive descriptors
  int64_t queues = -1;                                 // receive queues in use
  std::vector<uint8_t> rss_key;
  bool rss_symmetric_xor = false;  // the device makes its hash symmetric by itself
};
Status inspect_interface(const std::string& name, InterfaceState* state);  // no_such_interface
// RLIMIT_MEMLOCK of this process; infinity where there is none.
double memory_lock_bytes();

void export_proof(Napi::Env env, Napi::Object exports);

}  // namespace bricks::addon
