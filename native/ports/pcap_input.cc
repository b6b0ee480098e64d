#include "ports/pcap_input.hh"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace bricks {
namespace {

constexpr int kReadsPerCall = 4;     // fill()s one receive() may cost while it finds no packet
constexpr size_t kWarningsMax = 20;  // files named in one warning

struct OpenedCapture {
  int fd = -1;
  bool stream = false;
};

Status cannot_open(const std::string& path, int error) {
  Status status = system_error("cannot open the capture " + path, error);
  if (status.code == Code::no_such_file) {
    status.message += "; a relative name starts where bricks was started; try ls " + path;
  }
  return status;
}

// Never blocks: a FIFO without a writer opens, too. errno on failure.
bool open_capture(const std::string& path, OpenedCapture* opened) noexcept {
  const int fd = path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat info;
  if (fd < 0) return false;
  if (fstat(fd, &info) != 0 || S_ISDIR(info.st_mode)) {
    const int error = S_ISDIR(info.st_mode) ? EISDIR : errno;
    close(fd);
    errno = error;
    return false;
  }
  *opened = {fd, !S_ISREG(info.st_mode)};
  return true;
}

// A regular file's beginning is looked at; a stream shows what it is only later.
Status check_capture(const std::string& path, const PcapReplay& replay, OpenedCapture* opened) {
  if (!open_capture(path, opened)) return cannot_open(path, errno);
  if (opened->stream) {
    if (replay.loops == 1) return {};
    close(opened->fd);
    return {Code::invalid_argument,
            path + " can be read only once, it is no regular file; leave out loop="};
  }
  uint8_t header[kCaptureHeaderBytes];
  const ssize_t got = pread(opened->fd, header, sizeof header, 0);
  const int error = errno;
  const std::string why = got < 0 ? "" : not_a_capture_because(header, static_cast<size_t>(got));
  if (got >= 0 && why.empty()) return {};
  close(opened->fd);
  if (got < 0) return system_error("cannot read the capture " + path, error);
  return {Code::not_a_capture,
          path + " is not a pcap or pcapng capture: " + why + "; try file " + path};
}

}  // namespace

PcapInput::PcapInput(std::vector<std::string> files, const PcapReplay& replay)
    : files_(std::move(files)), replay_(replay), reports_(new Report[files_.size()]) {}

Status PcapInput::open(std::vector<std::string> files, const PcapReplay& replay,
                       std::unique_ptr<Input>* input) {
  for (const std::string& file : files) {
    OpenedCapture opened;
    Status status = check_capture(file, replay, &opened);
    if (!status.ok()) return status;
    close(opened.fd);
  }
  std::unique_ptr<PcapInput> made(new PcapInput(std::move(files), replay));
  Status status = made->attach_first();
  if (status.ok()) *input = std::move(made);
  return status;
}

Status PcapInput::attach_first() {
  OpenedCapture opened;
  if (!open_capture(files_[0], &opened)) return cannot_open(files_[0], errno);
  // Outputs look at this lock before they empty a file; whoever reads need not have it.
  flock(opened.fd, LOCK_SH | LOCK_NB);
  window_.attach(opened.fd, opened.stream);
  parser_.restart();
  return {};
}

uint32_t PcapInput::receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept {
  batch.count = 0;
  batch.region = nullptr;
  batch.padded = true;
  wait_fd_ = -1;
  wake_at_ = 0;
  CaptureTally tally;
  for (int reads = 0; reads < kReadsPerCall && !finished_ && max > 0; ++reads) {
    batch.count = replay_.speed == 0 ? parser_.next(window_, batch, 0, max, tally)
                                     : receive_due(batch, max, now, tally);
    if (batch.count > 0 || wake_at_ != 0 || !go_on()) break;
  }
  found_in_loop_ += tally.packets;
  cell.packets += tally.packets;
  cell.bytes += tally.bytes;
  if (tally.oversize) cell.drop(Drop::oversize, tally.oversize);
  if (tally.malformed) cell.drop(Drop::malformed, tally.malformed);
  return batch.count;
}

// Packets whose time has come. The first one that is early goes back, and wake_at_ is its time.
uint32_t PcapInput::receive_due(Batch& batch, uint32_t max, Nanos now,
                                CaptureTally& tally) noexcept {
  uint32_t count = 0;
  while (count < max && parser_.next(window_, batch, count, 1, tally) == 1) {
    const Packet& packet = batch.packets[count];
    if (!paced_) {
      paced_ = true;
      pace_start_ = now;
      pace_first_ = packet.timestamp;
    }
    Nanos due = 0;  // out of order, or before the first: at once
    if (packet.timestamp > pace_first_) {
      const double wait = static_cast<double>(packet.timestamp - pace_first_) / replay_.speed;
      due = pace_start_ + static_cast<Nanos>(wait < 1e18 ? wait : 1e18);
    }
    if (due > now) {
      window_.unconsume(parser_.last_record());
      --tally.packets;
      tally.bytes -= packet.length;
      wake_at_ = due;
      break;
    }
    ++count;
  }
  return count;
}

bool PcapInput::go_on() noexcept {
  switch (parser_.halt()) {
    case CaptureParser::Halt::full:
    case CaptureParser::Halt::other_link:
      return false;
    case CaptureParser::Halt::damaged:
      report(Fault::damaged, 0);
      return next_file();
    case CaptureParser::Halt::need_more:
      break;
  }
  switch (window_.fill()) {
    case CaptureWindow::Fill::more:
      return true;
    case CaptureWindow::Fill::not_now:
      wait_fd_ = window_.fd();
      return false;
    case CaptureWindow::Fill::failed:
      report(Fault::unreadable, window_.error());
      return next_file();
    case CaptureWindow::Fill::end:
      break;
  }
  return end_file();
}

bool PcapInput::end_file() noexcept {
  // A file may end between two records, and nowhere else; not before its header either.
  if (window_.size() > 0 || window_.skipping() || window_.offset() == 0) report(Fault::cut, 0);
  return next_file();
}

bool PcapInput::next_file() noexcept {
  for (;;) {
    window_.detach();
    if (++file_ == files_.size()) {
      ++loop_;
      const bool last = replay_.loops != 0 && loop_ >= replay_.loops;
      if (last || found_in_loop_ == 0) {
        finished_ = true;
        return false;
      }
      file_ = 0;
      found_in_loop_ = 0;
      paced_ = false;
    }
    OpenedCapture opened;
    if (open_capture(files_[file_], &opened)) {
      flock(opened.fd, LOCK_SH | LOCK_NB);
      window_.attach(opened.fd, opened.stream);
      parser_.restart();
      return true;
    }
    report(Fault::vanished, errno);
  }
}

void PcapInput::report(Fault fault, int error) noexcept {
  Report& report = reports_[file_];
  if (report.written) return;  // said in an earlier loop
  report.written = true;
  report.fault = fault;
  report.offset = window_.offset();
  report.needed = parser_.needed();
  report.found = window_.size();
  report.damage = parser_.damage();
  report.error = error;
  report.ready.store(true, std::memory_order_release);
  reports_ready_.fetch_add(1, std::memory_order_release);
}

std::string PcapInput::warning(size_t file) const {
  const Report& report = reports_[file];
  const std::string& path = files_[file];
  const std::string at = " at byte " + std::to_string(report.offset);
  switch (report.fault) {
    case Fault::cut:
      return path + " is truncated: the record" + at + " needs " + std::to_string(report.needed) +
             " bytes, the file has " + std::to_string(report.found) +
             " more; every packet before it was delivered";
    case Fault::damaged:
      return path + " is damaged" + at + ": " + report.damage +
             "; every packet before it was delivered, the rest was left out";
    case Fault::unreadable:
      return system_error("cannot read " + path + at, report.error).message +
             "; every packet before it was delivered";
    case Fault::vanished:
      return system_error("cannot open the capture " + path + " when its turn came", report.error)
                 .message +
             "; its packets are missing";
    case Fault::none:
      break;
  }
  return {};
}

std::string PcapInput::take_warning() {
  if (reports_ready_.load(std::memory_order_acquire) == reports_taken_) return {};
  std::string text;
  size_t named = 0, unnamed = 0;
  for (size_t file = 0; file < files_.size(); ++file) {
    Report& report = reports_[file];
    if (report.taken || !report.ready.load(std::memory_order_acquire)) continue;
    report.taken = true;
    ++reports_taken_;
    if (++named > kWarningsMax) {
      ++unnamed;
      continue;
    }
    text += (text.empty() ? "" : "\n") + warning(file);
  }
  if (unnamed) text += "\nand " + std::to_string(unnamed) + " files more";
  return text;
}

std::string PcapInput::describe() const {
  std::string text = files_.size() == 1
                         ? "capture " + files_[0]
                         : std::to_string(files_.size()) + " captures, first " + files_[0];
  if (replay_.speed != 0) {
    char speed[40];
    snprintf(speed, sizeof speed, ", %g times its own pace", replay_.speed);
    text += speed;
  }
  if (replay_.loops == 0) text += ", for ever";
  if (replay_.loops > 1) text += ", " + std::to_string(replay_.loops) + " times";
  return text;
}

}  // namespace bricks
