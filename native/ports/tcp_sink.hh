// The far end of `tcp:`: a server of captures (pcap-over-IP). Every client gets a capture of its
// own from when it connects, through a bounded buffer of its own.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ports/capture_format.hh"
#include "ports/queued_output.hh"
#include "ports/tcp_desk.hh"

namespace bricks {

struct TcpSettings {
  TcpAddress address;
  std::string select;         // the line that asks for this output; empty: it listens alone
  uint32_t clients_max = 8;   // who comes beyond them is turned away
  uint64_t client_bytes = 0;  // of a client's buffer; at least one longest record
};

class TcpSink final : public FrameSink {
 public:
  // Listens, or joins those who do. As tcp_listen and TcpDesk::join.
  static Status open(const TcpSettings& settings, CaptureStyle style,
                     std::unique_ptr<FrameSink>* sink);
  ~TcpSink() override;

  bool work(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept override;
  int sleep_on(std::vector<pollfd>& fds) noexcept override;
  bool done(const FrameQueue& queue) const noexcept override;
  void end(FrameQueue& queue, FrameTally& tally) noexcept override;
  bool ready() const noexcept override { return clients_now_.load() != 0; }
  std::string describe() const override;

 private:
  struct Counts {  // of packets; written by the sink's thread, read by describe
    explicit Counts(std::string who) : peer(std::move(who)) {}
    const std::string peer;
    std::atomic<uint64_t> taken{0}, lost{0};
  };
  struct Client {
    int fd;
    CaptureEncoder encoder;
    std::unique_ptr<uint8_t[]> buffer;  // between `first` and `end`: what is to be sent
    uint64_t first = 0, end = 0;
    std::shared_ptr<Counts> counts;
    bool begun = false, blocked = false;
  };

  TcpSink(TcpSettings settings, CaptureStyle style)
      : settings_(std::move(settings)), style_(std::move(style)) {}
  bool accept_all() noexcept;
  bool admit(int fd) noexcept;
  void lose(Client& client) noexcept;
  uint8_t* space(Client& client, uint64_t bytes) const noexcept;
  bool begin(Client& client, LinkType link) const noexcept;
  bool take(Client& client, const FrameRecord& record) const noexcept;
  bool distribute(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept;
  bool hand_out(const FrameRecord& record, bool lossless, FrameTally& tally) noexcept;
  bool send(Client& client) noexcept;
  void leave(size_t i) noexcept;
  void finish_all(const FrameNews& news) noexcept;

  const TcpSettings settings_;
  const CaptureStyle style_;
  int listener_ = -1;                // or, with others at one port:
  std::shared_ptr<TcpPlace> place_;  // where its clients come from
  std::string bound_;                // the address as it really is
  std::vector<Client> clients_;
  uint64_t at_ = 0;  // position of the queue
  LinkType link_ = LinkType::ethernet;
  mutable std::mutex counts_mutex_;
  std::vector<std::shared_ptr<Counts>> counts_;  // of the clients there are
  std::atomic<uint32_t> clients_now_{0};
  std::atomic<uint64_t> clients_ever_{0}, turned_away_{0}, lost_{0};
};

}  // namespace bricks
