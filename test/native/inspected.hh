// For tests of the decoders: a pool of inspectors, and what it says, as lines of text.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check.hh"
#include "decoders/inspector.hh"
#include "wire/application.hh"

namespace bricks::inspected {

using Text = std::string;
using Lines = std::vector<std::string>;

inline std::string shown(const bricks_text& text) { return std::string(text.data, text.length); }
inline Bytes bytes_of(const Text& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline Text from_hex(const char* hex) {
  Text made;
  for (; *hex; ++hex) {
    if (*hex == ' ' || *hex == '\n') continue;
    made += static_cast<char>(std::stoi(std::string(hex, 2), nullptr, 16));
    ++hex;
  }
  return made;
}
inline Text be16(size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
inline Text be24(size_t value) { return Text(1, static_cast<char>(value >> 16)) + be16(value); }

// A copy in memory of just that size: a sanitizer sees whoever leaves it.
class Exact {
 public:
  explicit Exact(const Text& text) : size_(text.size()), bytes_(new uint8_t[text.size()]) {
    std::memcpy(bytes_.get(), text.data(), size_);
  }
  Bytes bytes() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> bytes_;
};

// Turns each record into a line, by a function of the test.
class Collector final : public Sink {
 public:
  using Show = std::string (*)(uint8_t kind, const void* record);
  explicit Collector(Show show) : show_(show) {}
  void identified(uint8_t protocol) noexcept override {
    lines.push_back(std::string("is ") + protocol_name(protocol));
  }
  void record(uint8_t, uint8_t kind, const void* record, uint8_t direction) noexcept override {
    const std::string text = show_(kind, record);
    if (!text.empty()) lines.push_back((direction ? "< " : "> ") + text);
  }
  Lines lines;

 private:
  Show show_;
};

struct Said {
  uint8_t direction;
  Text text;
};

// What comes of a conversation over TCP, in pieces of at most so many bytes. Every buffer has to be
// back in the end.
inline Lines follow(const std::vector<Said>& said, Collector::Show show, size_t piece = SIZE_MAX,
                    uint16_t port = 4000, uint32_t protocols = UINT32_MAX) {
  std::unique_ptr<Inspectors> pool;
  CHECK(Inspectors::create(2, 8, &pool).ok());
  pool->read_only(protocols);
  const uint32_t session = pool->open(6, 40000, port);
  CHECK(session != 0);
  Collector collector(show);
  uint64_t offset[2] = {};
  for (const Said& one : said) {
    for (size_t at = 0; at < one.text.size();) {
      const Exact exact(one.text.substr(at, piece));
      pool->stream(session, one.direction, offset[one.direction], exact.bytes(), collector);
      offset[one.direction] += exact.bytes().size();
      at += exact.bytes().size();
    }
  }
  pool->finish(session, 0, collector);
  pool->finish(session, 1, collector);
  pool->close(session);
  CHECK_EQ(pool->counts().buffers, 0u);
  CHECK_EQ(pool->counts().open, 0u);
  return collector.lines;
}

// The same of datagrams.
inline Lines converse(const std::vector<Said>& said, Collector::Show show, uint16_t port = 4000,
                      uint64_t* hmacs = nullptr) {
  std::unique_ptr<Inspectors> pool;
  CHECK(Inspectors::create(1, 4, &pool).ok());
  const uint32_t session = pool->open(17, 40000, port);
  Collector collector(show);
  for (const Said& one : said) {
    const Exact exact(one.text);
    pool->datagram(session, one.direction, exact.bytes(), collector);
  }
  pool->close(session);
  CHECK_EQ(pool->counts().buffers, 0u);
  if (hmacs) *hmacs = pool->hmacs();
  return collector.lines;
}

// Whatever the size of the pieces, the same is said.
inline void same_in_pieces(const std::vector<Said>& said, Collector::Show show,
                           uint16_t port = 4000) {
  const Lines whole = follow(said, show, SIZE_MAX, port);
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{64}, size_t{1000}})
    CHECK(follow(said, show, piece, port) == whole);
}

// Ends at every length, and with every byte changed: nobody reads beyond, nothing is kept.
inline void survives(const std::vector<Said>& said, Collector::Show show, uint16_t port,
                     bool datagrams) {
  const auto run = [&](const std::vector<Said>& changed) {
    datagrams ? converse(changed, show, port) : follow(changed, show, SIZE_MAX, port);
  };
  for (size_t which = 0; which < said.size(); ++which) {
    const Text& text = said[which].text;
    for (size_t length = 0; length < text.size(); length += 1 + text.size() / 600) {
      std::vector<Said> cut(said.begin(), said.begin() + static_cast<int64_t>(which) + 1);
      cut[which].text.resize(length);
      run(cut);
    }
    for (size_t at = 0; at < text.size(); at += 1 + text.size() / 200) {
      for (const int value : {0x00, 0x7f, 0xff}) {
        std::vector<Said> changed = said;
        changed[which].text[at] = static_cast<char>(value);
        run(changed);
      }
    }
  }
}

inline std::string joined(const Lines& lines) {
  std::string made;
  for (const std::string& line : lines) made += line + "\n";
  return made;
}

}  // namespace bricks::inspected
