#include "packet_io/packet_device.hh"

#include <algorithm>
#include <ctime>

#include "packet_io/packet_place.hh"

namespace bricks::packet_io_library {

namespace {

thread_local std::string last_error;

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1000000000 + static_cast<Nanos>(now.tv_nsec);
}

int code_of(Code code) noexcept {
  switch (code) {
    case Code::ok:
      return BRICKS_DONE;
    case Code::permission_denied:
      return BRICKS_EPERM;
    case Code::no_such_file:
    case Code::no_such_interface:
    case Code::no_such_pipe:
      return BRICKS_ENOENT;
    case Code::already_exists:
      return BRICKS_EEXIST;
    case Code::busy:
      return BRICKS_EBUSY;
    case Code::limit_reached:
      return BRICKS_ENOMEM;
    case Code::unsupported:
      return BRICKS_ENOTSUP;
    case Code::failed:
      return BRICKS_EIO;
    default:
      return BRICKS_EINVAL;
  }
}

}  // namespace

int fail(int code, std::string message) {
  last_error = std::move(message);
  return code;
}
int fail(const Status& status) { return fail(code_of(status.code), status.message); }

Status Device::open(const std::string& name, const std::string& receive_name,
                    const std::string& send_name, const PortContext& context, PacketPool& pool,
                    std::unique_ptr<Device>* device) {
  std::unique_ptr<Device> made(new Device(pool));
  made->name_ = name;
  Status status;
  if (!receive_name.empty()) status = open_input(receive_name, context, &made->input_);
  if (status.ok() && !send_name.empty()) status = open_output(send_name, context, &made->output_);
  if (!status.ok()) return status;
  if (made->input_) made->description_ = made->input_->describe();
  if (made->output_) {
    if (made->input_) made->description_ += "; ";
    made->description_ += made->output_->describe();
  }
  *device = std::move(made);
  return {};
}

int Device::receive(struct packet** packets, int n) {
  if (closed_) return fail(BRICKS_ESTATE, name_ + " is closed");
  if (n <= 0) return fail(BRICKS_EINVAL, "packet_io_rx: n is " + std::to_string(n) + ", not 1 up");
  if (!input_) return fail(BRICKS_EINVAL, name_ + " was not opened to receive");
  const uint32_t most = std::min({static_cast<uint32_t>(n), kBatchMax, pool_.free()});
  if (most == 0) return 0;
  batch_->count = 0;
  if (input_->receive(*batch_, most, wall_clock(), received_) == 0) {
    if (!input_->finished()) return 0;
    return fail(BRICKS_EEOF, name_ + " is at its end");
  }
  int taken = 0;
  for (uint32_t i = 0; i < batch_->count; ++i) {
    struct packet* packet = pool_.take(*batch_, static_cast<Index>(i));
    if (packet) {
      packets[taken++] = packet;
    } else {
      received_.drop(Drop::oversize);  // more jumbo frames at a time than are kept
    }
  }
  input_->release(*batch_);
  return taken;
}

uint32_t Device::send_batch(struct packet** packets, uint32_t count) {
  Batch& batch = *batch_;
  batch.count = 0;
  batch.region = nullptr;
  batch.padded = true;  // packets lie in buffers of whole lines
  batch.plain = false;
  batch.decoded = false;
  batch.now = wall_clock();
  batch.link = static_cast<LinkType>(packets[0]->link_type);
  Index picks[kBatchMax];
  while (batch.count < std::min(count, kBatchMax)) {
    const struct packet& from = *packets[batch.count];
    if (static_cast<LinkType>(from.link_type) != batch.link) break;
    const Index place = place_packet(batch, from);
    picks[place] = place;
  }
  const uint32_t room = std::min(output_->room(batch, picks, batch.count), batch.count);
  if (room == 0) return 0;
  sent_.packets += room;
  output_->transmit(batch, picks, room, true, sent_);
  for (uint32_t i = 0; i < room; ++i) pool_.give_back(packets[i]);
  return room;
}

int Device::send(struct packet** packets, int n) {
  if (closed_) return fail(BRICKS_ESTATE, name_ + " is closed");
  if (n < 0) return fail(BRICKS_EINVAL, "packet_io_tx: n is " + std::to_string(n));
  if (!output_) return fail(BRICKS_EINVAL, name_ + " was not opened to send");
  if (const int wrong = pool_.first_wrong(packets, n); wrong >= 0) {
    return fail(BRICKS_EINVAL, "packet_io_tx: packets[" + std::to_string(wrong) +
                                   "] is not the caller's: sent or freed already, or twice here");
  }
  output_->flush(wall_clock(), sent_);  // what was read meanwhile has made room
  int accepted = 0;
  while (accepted < n) {
    const auto left = static_cast<uint32_t>(n - accepted);
    const uint32_t sent = send_batch(packets + accepted, left);
    if (sent == 0) break;
    accepted += static_cast<int>(sent);
  }
  output_->flush(wall_clock(), sent_);
  return accepted;
}

void Device::count(packet_io_counts* counts) {
  if (!closed_ && input_) input_->settle(received_);
  if (!closed_ && output_) output_->flush(wall_clock(), sent_);
  *counts = {};
  counts->receive_dropped = received_.dropped_total();
  counts->received = received_.packets - counts->receive_dropped;
  counts->received_bytes = received_.bytes;
  counts->sent = sent_.delivered;
  counts->sent_bytes = sent_.delivered_bytes;
  counts->waiting = sent_.held;
  counts->transmit_dropped = sent_.dropped_total();
}

int Device::close() {
  if (closed_) return fail(BRICKS_ESTATE, name_ + " is closed already");
  if (input_) input_->settle(received_);
  if (output_) {
    output_->flush(wall_clock(), sent_);
    output_->finish(sent_);
    output_->close(sent_);
  }
  closed_ = true;
  input_.reset();
  output_.reset();
  return BRICKS_DONE;
}

}  // namespace bricks::packet_io_library

const char* packet_io_error(void) { return bricks::packet_io_library::last_error.c_str(); }
