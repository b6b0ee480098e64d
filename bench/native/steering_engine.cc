// One engine: a capture file in, a LoadBalancer, capture files out, which are read again.
#include "steering_engine.hh"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "must.hh"

namespace bench {

using namespace bricks;
using namespace bricks::frames;

namespace {

constexpr uint32_t kDrainMs = 60000;
constexpr size_t kFileHeader = 24, kRecordHeader = 16;

void put_host32(Bytes& to, uint32_t value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof value);
}

void write_capture(const std::string& path, const Traffic& traffic) {
  Bytes file;
  for (const uint32_t word : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) put_host32(file, word);
  uint32_t time = 0;
  for (const Bytes& frame : traffic.frames) {
    const auto length = static_cast<uint32_t>(frame.size());
    for (const uint32_t word : {1u + time / 1000000, time % 1000000, length, length}) {
      put_host32(file, word);
    }
    file.insert(file.end(), frame.begin(), frame.end());
    ++time;
  }
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
}

// Adds what is in the file behind its first `skip` frames; returns how many there are in all.
size_t read_capture(const std::string& path, uint32_t output, size_t skip, Steered& steered) {
  std::ifstream in(path, std::ios::binary);
  const Bytes file{std::istreambuf_iterator<char>(in), {}};
  size_t count = 0;
  for (size_t at = kFileHeader; at + kRecordHeader <= file.size(); ++count) {
    uint32_t length;
    std::memcpy(&length, &file[at + 8], sizeof length);
    at += kRecordHeader;
    if (file.size() - at < length) break;
    const uint32_t flow = flow_of(&file[at], length);
    if (count >= skip && flow < steered.size()) ++steered[flow][output];
    at += length;
  }
  return count;
}

}  // namespace

SteeringEngine::SteeringEngine(std::string folder, Options options)
    : folder_(std::move(folder)), options_(std::move(options)) {
  must(Engine::create("steering", {}, &pipes_, &engine_));
}

SteeringEngine::~SteeringEngine() = default;

Steered SteeringEngine::run(const Traffic& traffic, uint32_t outputs, uint32_t without) {
  const std::string input = folder_ + "/in" + std::to_string(runs_) + ".pcap";
  write_capture(input, traffic);
  Graph graph;
  graph.inlets = {{"pcap:" + input, 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "LoadBalancer";
  node.options = options_;
  const auto path = [this](uint32_t i) { return folder_ + "/out" + std::to_string(i) + ".pcap"; };
  for (uint32_t i = 0; i < outputs; ++i) {
    if (i != without) node.outlets.push_back({"pcap:" + path(i), -1});
  }
  must(engine_->apply(graph));
  if (runs_++ == 0) must(engine_->start());
  if (!engine_->wait_drained(kDrainMs)) {
    must({Code::failed, "the engine is not through after a minute"});
  }
  // An output is its name: its file goes on where the run before has left it.
  Steered steered(traffic.flows);
  size_t frames = 0;
  read_.resize(std::max<size_t>(read_.size(), outputs));
  for (uint32_t i = 0; i < outputs; ++i) {
    if (i == without) continue;
    const size_t before = read_[i];
    read_[i] = read_capture(path(i), i, before, steered);
    frames += read_[i] - before;
  }
  if (frames != traffic.frames.size()) must({Code::failed, "frames are missing"});
  return steered;
}

}  // namespace bench
