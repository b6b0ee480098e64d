// `pcap:` as output: a classic capture file, or pcapng with an interface for each link type; a new
// file when one is full or its time is over, each a capture by itself.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "ports/capture_format.hh"
#include "ports/capture_writer.hh"
#include "ports/port.hh"

namespace bricks {

enum class PcapPrecision : uint8_t { automatic, micros, nanos };

struct PcapFormat {
  bool ng = false;  // pcapng, always in nanoseconds
  // Classic files; automatic: nanoseconds when the first packets have digits below the microsecond.
  PcapPrecision precision = PcapPrecision::automatic;
  uint64_t buffer_bytes = 4u << 20;  // rounded up to a power of two, at least 1 MiB
  Rotation rotation;
  std::string name = {}, description = {};  // pcapng: of its interfaces
};

class PcapOutput final : public Output {
 public:
  // Makes or empties the file; "-" is standard output. no_such_file, permission_denied, busy,
  // invalid_argument, failed.
  static Status open(const std::string& path, const PcapFormat& format,
                     std::unique_ptr<Output>* output);

  uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept override;
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  void finish(LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  int wait_fd() const noexcept override { return writer_->wait_fd(); }
  void arm_wait() noexcept override { writer_->arm(); }
  std::string take_warning() override;
  std::string describe() const override;

 private:
  // Packets up to a position of the stream, waiting for the writer to get there.
  struct Checkpoint {
    uint64_t position, packets, bytes;
  };
  static constexpr uint32_t kCheckpoints = 1024;

  PcapOutput(std::string path, const PcapFormat& format)
      : path_(std::move(path)),
        format_(format),
        rotates_(format.rotation.active()),
        encoder_({.ng = format.ng, .name = format.name, .description = format.description}) {}
  void begin(const Batch& batch, const Index* picks, uint32_t count) noexcept;
  void begin_file(Nanos first) noexcept;
  bool turn(const Batch& batch, uint32_t i) noexcept;
  int interface_of(LinkType link) noexcept;  // pcapng; -1: no place for it
  void put_classic(const Batch& batch, uint32_t i) noexcept;
  void put_block(const Batch& batch, uint32_t i, uint32_t interface) noexcept;
  void settle(LedgerCell& cell) noexcept;

  const std::string path_;
  const PcapFormat format_;
  const bool rotates_;
  CaptureEncoder encoder_;
  std::unique_ptr<CaptureWriter> writer_;
  bool begun_ = false, nanos_ = false;
  uint64_t file_begin_ = 0;  // of the stream, where this file's bytes begin
  Nanos file_first_ = 0;     // time of its first packet
  bool file_empty_ = true;
  LinkType link_ = LinkType::ethernet;  // classic: the file's
  std::array<Checkpoint, kCheckpoints> checkpoints_{};
  uint64_t oldest_ = 0, newest_ = 0;  // checkpoints ever settled, made
  uint64_t held_ = 0;

  // Raised by the engine's thread, told once by the control's.
  std::atomic<int32_t> refused_link_{-1};
  std::atomic<bool> lost_digits_{false};
  bool told_link_ = false, told_digits_ = false, told_error_ = false;
};

}  // namespace bricks
