// A LoadBalancer with a session table of its own, fed packet by packet.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bricks/balancer.hh"
#include "check.hh"
#include "pipe_fixture.hh"
#include "wire/application.hh"
#include "wire/decode.hh"

namespace bricks::balancing {

inline constexpr Nanos kStart = 1000000000000;

inline Bytes ipv4(uint32_t from, uint32_t to, uint8_t protocol, uint16_t source, uint16_t target,
                  const std::string& payload = "", uint8_t tcp_flags = 0x10) {
  Bytes frame = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  const size_t head = protocol == 6 ? 20 : 8;
  const auto total = static_cast<uint16_t>(20 + head + payload.size());
  const auto put16 = [&frame](uint32_t value) {
    frame.push_back(static_cast<uint8_t>(value >> 8));
    frame.push_back(static_cast<uint8_t>(value));
  };
  put16(0x4500), put16(total), put16(7), put16(0), put16(0x4000u | protocol), put16(0);
  put16(from >> 16), put16(from), put16(to >> 16), put16(to), put16(source), put16(target);
  if (protocol == 6) {
    put16(0), put16(1), put16(0), put16(1), put16(0x5000u | tcp_flags), put16(9), put16(0),
        put16(0);
  } else {
    put16(static_cast<uint32_t>(8 + payload.size())), put16(0);
  }
  frame.insert(frame.end(), payload.begin(), payload.end());
  if (frame.size() < 60) frame.resize(60);
  return frame;
}

struct World {
  std::unique_ptr<SessionTable> table;
  std::unique_ptr<Brick> brick, retired;
  std::vector<Index> storage;
  std::vector<Outlets::List> lists;
  std::unique_ptr<Batch> batch = std::make_unique<Batch>();
  LedgerCell cell;
  Nanos now = kStart;

  explicit World(uint32_t sessions = 100000) {
    CHECK(SessionTable::create("test", sessions, &table).ok());
    table->tick(now);
  }
  Status set(std::vector<std::string> names, Options options = {}, uint32_t level = 1) {
    const BrickType* type = find_brick_type("LoadBalancer");
    if (Status status = check_options("LoadBalancer", type->options, &options); !status.ok()) {
      return status;
    }
    const auto outlets = static_cast<uint32_t>(names.size());
    std::unique_ptr<Brick> made;
    BrickPlace place{outlets, level, std::move(names), "lb", table.get(), brick.get()};
    if (Status status = type->make(options, place, &made); !status.ok()) return status;
    brick = std::move(made);
    lists.resize(outlets);
    storage.resize(size_t{outlets} * kBatchMax);
    return {};
  }
  Batch& decoded(Bytes& frame) {
    batch->count = 1;
    batch->packets[0] = {frame.data(), static_cast<uint32_t>(frame.size()), 0, now, 0, 0, 0, 0};
    decode(*batch, process_hash_seed());
    batch->decoded = true;
    return *batch;
  }
  uint32_t push(Bytes frame) {
    Batch& one = decoded(frame);
    const Index all[1] = {0};
    for (size_t i = 0; i < lists.size(); ++i) {
      Index* own = storage.data() + i * kBatchMax;
      lists[i] = {own, own, own};
    }
    Outlets outlets(lists, cell);
    brick->push(one, all, outlets);
    for (uint32_t i = 0; i < lists.size(); ++i) {
      if (lists[i].count()) return i;
    }
    return UINT32_MAX;
  }
  uint32_t flow(uint32_t number, bool back = false, uint8_t flags = 0x10) {
    const uint32_t client = 0x0a000000 + number, server = 0xc0a80001;
    const auto port = static_cast<uint16_t>(1024 + number % 60000);
    return push(back ? ipv4(server, client, 6, 443, port, "", flags)
                     : ipv4(client, server, 6, port, 443, "", flags));
  }
  uint64_t figure(const std::string& name) const {
    Figure all[kFiguresMax];
    const uint32_t count = brick->figures(all);
    for (uint32_t i = 0; i < count; ++i) {
      if (name == all[i].name) return all[i].value;
    }
    return UINT64_MAX;
  }
};

inline std::vector<std::string> names(uint32_t count) {
  std::vector<std::string> made;
  for (uint32_t i = 0; i < count; ++i) made.push_back("eth0{" + std::to_string(i));
  return made;
}

}  // namespace bricks::balancing
