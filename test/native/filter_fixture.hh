// A Filter on its own: a list of rules, outlets to look into, frames to push through.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bricks/brick.hh"
#include "check.hh"
#include "filter/rule_list.hh"
#include "pipe_fixture.hh"
#include "wire/application.hh"

namespace bricks {

struct Header {
  bool v6 = false, vlan = false, fragment = false;  // fragment: not the first
  uint8_t protocol = 6;
  uint8_t source[16] = {10, 0, 0, 1}, target[16] = {10, 0, 0, 2};
  uint16_t source_port = 1000, target_port = 80;
  uint8_t source_mac = 1, target_mac = 2;  // last bytes of 02:00:00:00:00:xx
  uint32_t payload = 20;
};

inline bool header_has_ports(const Header& h) {
  return !h.fragment && (h.protocol == 6 || h.protocol == 17 || h.protocol == 132);
}

inline Bytes frame_of(const Header& h) {
  Bytes frame = {2, 0, 0, 0, 0, h.target_mac, 2, 0, 0, 0, 0, h.source_mac};
  const auto put = [&frame](std::initializer_list<int> bytes) {
    for (const int byte : bytes) frame.push_back(static_cast<uint8_t>(byte));
  };
  if (h.vlan) put({0x81, 0, 0, 7});
  if (h.v6) {
    put({0x86, 0xdd, 0x60, 0, 0, 0, 0, 60, h.fragment ? 44 : h.protocol, 64});
    frame.insert(frame.end(), h.source, h.source + 16);
    frame.insert(frame.end(), h.target, h.target + 16);
    if (h.fragment) put({h.protocol, 0, 0x05, 0x00, 0, 0, 0, 9});
  } else {
    put({8, 0, 0x45, 0, 0, 80, 0, 9, 0, h.fragment ? 100 : 0, 64, h.protocol, 0, 0});
    frame.insert(frame.end(), h.source, h.source + 4);
    frame.insert(frame.end(), h.target, h.target + 4);
  }
  put({h.source_port >> 8, h.source_port & 255, h.target_port >> 8, h.target_port & 255});
  frame.resize(frame.size() + h.payload);
  return frame;
}

struct LoneFilter {
  uint64_t number = 0;
  std::shared_ptr<RuleList> list;
  std::unique_ptr<Brick> brick;
  std::vector<Index> storage, picks;
  std::vector<Outlets::List> lists;
  LedgerCell cell;
  Cuts cuts;
  std::unique_ptr<Batch> batch = std::make_unique<Batch>();

  explicit LoneFilter(Options options = {}, std::vector<std::string> names = {"e{0"}) {
    CHECK(open_rule_list(&number).ok());
    list = find_rule_list(number);
    const BrickType* type = find_brick_type("Filter");
    options["rules"] = static_cast<int64_t>(number);
    CHECK(check_options("Filter", type->options, &options).ok());
    storage.resize(names.size() * kBatchMax);
    lists.resize(names.size());
    const auto outlets = static_cast<uint32_t>(names.size());
    CHECK(type->make(options, {outlets, 1, std::move(names)}, &brick).ok());
  }
  ~LoneFilter() {
    brick.reset();
    close_rule_list(number);
  }
  uint32_t add(const Options& rule) {
    std::vector<uint32_t> ids;
    const Status status = list->add({rule}, &ids);
    if (!status.ok()) std::printf("  %s\n", status.message.c_str());
    CHECK(status.ok());
    return ids.empty() ? 0 : ids[0];
  }
  // Fresh packets, not decoded, as an input leaves them.
  void push(std::vector<Bytes>& frames) {
    batch->count = static_cast<uint32_t>(frames.size());
    batch->decoded = false;
    picks.clear();
    for (uint32_t i = 0; i < batch->count; ++i) {
      batch->packets[i] = {};
      batch->packets[i].data = frames[i].data();
      batch->packets[i].length = static_cast<uint32_t>(frames[i].size());
      picks.push_back(static_cast<Index>(i));
    }
    for (size_t i = 0; i < lists.size(); ++i) {
      Index* own = storage.data() + i * kBatchMax;
      lists[i] = {own, own, own};
    }
    cuts.any = false;
    Outlets out(lists, cell, &cuts);
    brick->push(*batch, picks, out);
  }
  uint32_t count_of(uint32_t outlet) const { return lists[outlet].count(); }
  bool has(uint32_t outlet, Index packet) const {
    return std::find(lists[outlet].first, static_cast<const Index*>(lists[outlet].end), packet) !=
           lists[outlet].end;
  }
  uint64_t dropped(Drop reason) const { return cell.dropped[static_cast<uint32_t>(reason)]; }
};

}  // namespace bricks
