// A device of a packet_io: one or two ports, and what the library counts of them.
#pragma once

#include <string>

#include "packet_io/packet_pool.hh"
#include "ports/port_registry.hh"

namespace bricks::packet_io_library {

// What `message` is to the caller: a code of bricks_error; packet_io_error() gives the text.
int fail(int code, std::string message);
int fail(const Status& status);
// Of a packet_io; null: there is none such (any more).
PacketPool* pool_of(const packet_io* io);

class Device {
 public:
  // `receive_name`, `send_name`: as open_input and open_output take them; empty: not that way.
  static Status open(const std::string& name, const std::string& receive_name,
                     const std::string& send_name, const PortContext& context, PacketPool& pool,
                     std::unique_ptr<Device>* device);
  ~Device() { close(); }

  int receive(struct packet** packets, int n);
  int send(struct packet** packets, int n);
  int close();
  void count(packet_io_counts* counts);
  int wait_fd() const { return input_ ? input_->wait_fd() : -1; }
  bool closed() const { return closed_; }
  const std::string& name() const { return name_; }
  const char* describe() const { return description_.c_str(); }

 private:
  explicit Device(PacketPool& pool) : pool_(pool), batch_(std::make_unique<Batch>()) {}
  uint32_t send_batch(struct packet** packets, uint32_t count);

  PacketPool& pool_;
  std::unique_ptr<Input> input_;
  std::unique_ptr<Output> output_;
  std::unique_ptr<Batch> batch_;
  LedgerCell received_, sent_;
  std::string name_, description_;
  bool closed_ = false;
};

}  // namespace bricks::packet_io_library
