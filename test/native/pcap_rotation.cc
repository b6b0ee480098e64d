// A pcap: output that begins new files: names, bounds, how many stay, and that nothing is lost.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <filesystem>
#include <random>

#include "check.hh"
#include "pcap_bytes.hh"
#include "ports/port_registry.hh"

using namespace bricks;
using namespace captures;
using conformance::Frame;
using conformance::make_frame;
using conformance::send;

namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kNewYear = 1'767'225'600 * kSecond;  // 2026-01-01 00:00:00 UTC

std::unique_ptr<Output> open_port(const std::string& port) {
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output(port, {}, &output).message, "");
  return output;
}

LedgerCell write_all(const std::string& port, const std::vector<Frame>& frames) {
  LedgerCell cell;
  const std::unique_ptr<Output> output = open_port(port);
  if (!output) return cell;
  send(*output, frames, 100, cell);
  output->close(cell);
  CHECK(conformance::balanced(cell));
  CHECK_EQ(cell.delivered, frames.size());
  CHECK_EQ(output->take_warning(), "");
  return cell;
}

// The files of `folder`, in the order that an input would read them in.
std::vector<std::string> files_of(const Folder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("")))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return strverscmp(a.c_str(), b.c_str()) < 0;
  });
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// Each file is a capture by itself; all of them together.
std::vector<Frame> read_each(const Folder& folder) {
  std::vector<Frame> all;
  for (const std::string& name : files_of(folder)) {
    const Reading reading = read_port("pcap:" + folder.path(name));
    CHECK_EQ(reading.status.message, "");
    CHECK_EQ(reading.warning, "");
    all.insert(all.end(), reading.frames.begin(), reading.frames.end());
  }
  return all;
}

std::vector<Frame> random_frames(uint32_t count, uint32_t length_max) {
  std::mt19937_64 random(20261121);
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < count; ++i) {
    frames.push_back(make_frame(i, 60 + static_cast<uint32_t>(random() % (length_max - 60))));
  }
  return frames;
}

// Frames with these times, in seconds after the new year.
std::vector<Frame> frames_at(const std::vector<uint32_t>& seconds) {
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < seconds.size(); ++i) {
    frames.push_back(make_frame(i, 60 + i % 50));
    frames.back().timestamp = kNewYear + seconds[i] * kSecond;
  }
  return frames;
}

std::string time_name(const char* pattern, Nanos time) {
  const auto seconds = static_cast<time_t>(time / kSecond);
  struct tm parts;
  char text[100];
  localtime_r(&seconds, &parts);
  return {text, strftime(text, sizeof text, pattern, &parts)};
}

}  // namespace

TEST(pcap_rotation_by_size_loses_nothing) {
  const std::vector<Frame> frames = random_frames(6000, 3000);
  for (const char* options : {"?rotate_mb=1", "?rotate_mb=1&ng=1", "?rotate_mb=1&buffer=1&ns=1"}) {
    const Folder folder;
    write_all("pcap:" + folder.path("a.pcap") + options, frames);
    const std::vector<std::string> names = files_of(folder);
    CHECK(names.size() >= 9);
    CHECK_EQ(joined({names.begin(), names.begin() + 3}), "a.pcap a.pcap1 a.pcap2");
    for (const std::string& name : names) {
      const size_t bytes = folder.read(name).size();
      CHECK(bytes <= 1'000'000);
      CHECK(bytes > 990'000 || name == names.back());
    }
    CHECK(read_each(folder) == frames);
    // Folder and pattern give them in order, ten after nine.
    CHECK(read_port("pcap:" + folder.path("")).frames == frames);
    CHECK(read_port("pcap:" + folder.path("a.pcap*")).frames == frames);
  }
}

TEST(pcap_rotation_keeps_the_newest) {
  const Folder folder;
  const std::vector<Frame> frames = random_frames(6000, 3000);
  folder.write("other.pcap", "not ours");
  write_all("pcap:" + folder.path("a.pcap?rotate_mb=1&keep=3"), frames);
  CHECK_EQ(folder.read("other.pcap"), "not ours");
  CHECK_EQ(unlink(folder.path("other.pcap").c_str()), 0);
  const std::vector<std::string> names = files_of(folder);
  CHECK_EQ(names.size(), 3u);
  const std::vector<Frame> left = read_each(folder);
  CHECK(left.size() > 1000 && left.size() < frames.size());
  CHECK(left ==
        std::vector<Frame>(frames.end() - static_cast<ptrdiff_t>(left.size()), frames.end()));
}

TEST(pcap_rotation_by_packets_time) {
  const Folder folder;
  const std::vector<Frame> frames = frames_at({0, 3, 9, 10, 19, 25, 17, 26, 90, 99, 100});
  write_all("pcap:" + folder.path("t.pcap?rotate_s=10"), frames);
  CHECK_EQ(joined(files_of(folder)), "t.pcap t.pcap1 t.pcap2 t.pcap3 t.pcap4");
  CHECK(read_port("pcap:" + folder.path("t.pcap")).frames ==
        std::vector<Frame>(frames.begin(), frames.begin() + 3));
  CHECK(read_each(folder) == frames);
}

// One packet from the far future gets a file; those after it still get theirs.
TEST(pcap_rotation_survives_a_wrong_time) {
  const Folder folder;
  const std::vector<Frame> frames = frames_at({0, 1, 4'000'000, 2, 3, 12, 30});
  write_all("pcap:" + folder.path("t.pcap?rotate_s=10"), frames);
  CHECK_EQ(files_of(folder).size(), 4u);
  CHECK(read_each(folder) == frames);
}

TEST(pcap_rotation_has_times_in_names) {
  const Folder folder;
  const std::vector<Frame> frames = frames_at({5, 6, 3605, 3606, 3607});
  const char* pattern = "at-%Y%m%d-%H%M%S.pcap";
  write_all("pcap:" + folder.path(pattern) + "?rotate_s=3600", frames);
  CHECK_EQ(joined(files_of(folder)), time_name(pattern, kNewYear + 5 * kSecond) + " " +
                                         time_name(pattern, kNewYear + 3605 * kSecond));
  CHECK(read_each(folder) == frames);
}

// The same name again gets a number, as when an hour of the clock comes twice.
TEST(pcap_rotation_never_writes_over_its_own_files) {
  const Folder folder;
  const std::vector<Frame> frames = frames_at({0, 60, 120, 86400, 86460, 0});
  std::vector<Frame> back = frames;
  back.push_back(frames_at({3})[0]);
  write_all("pcap:" + folder.path("day-%d.pcap?rotate_s=50"), back);
  CHECK_EQ(joined(files_of(folder)),
           "day-01.pcap day-01.pcap1 day-01.pcap2 day-02.pcap "
           "day-02.pcap1");
  CHECK_EQ(read_each(folder).size(), back.size());
}

TEST(pcap_rotation_leaves_files_in_use_alone) {
  const Folder folder;
  folder.write("a.pcap1", "in use");
  const int reader = open(folder.path("a.pcap1").c_str(), O_RDONLY | O_CLOEXEC);
  CHECK_EQ(flock(reader, LOCK_SH), 0);
  const std::vector<Frame> frames = frames_at({0, 10});
  write_all("pcap:" + folder.path("a.pcap?rotate_s=10"), frames);
  close(reader);
  CHECK_EQ(folder.read("a.pcap1"), "in use");
  CHECK_EQ(unlink(folder.path("a.pcap1").c_str()), 0);
  CHECK_EQ(joined(files_of(folder)), "a.pcap a.pcap2");
  CHECK(read_each(folder) == frames);
}

TEST(pcap_rotation_without_packets_is_a_capture) {
  const Folder folder;
  write_all("pcap:" + folder.path("plain.pcap?rotate_mb=1"), {});
  write_all("pcap:" + folder.path("time-%Y.pcap?rotate_s=60&ng=1"), {});
  CHECK_EQ(files_of(folder).size(), 2u);
  CHECK_EQ(read_each(folder).size(), 0u);
  CHECK_EQ(folder.read("plain.pcap").size(), 24u);
}

// A file for every packet: more than may wait to be begun at once.
TEST(pcap_rotation_of_every_packet) {
  const Folder folder;
  std::vector<uint32_t> seconds;
  for (uint32_t i = 0; i < 3000; ++i) seconds.push_back(i);
  const std::vector<Frame> frames = frames_at(seconds);
  write_all("pcap:" + folder.path("t.pcap?rotate_s=1"), frames);
  CHECK_EQ(files_of(folder).size(), frames.size());
  CHECK(read_each(folder) == frames);
}

TEST(pcap_rotation_that_fails_midway) {
  const Folder folder;
  CHECK_EQ(mkdir(folder.path("t.pcap1").c_str(), 0700), 0);  // in the next file's place
  LedgerCell cell;
  const std::unique_ptr<Output> output = open_port("pcap:" + folder.path("t.pcap?rotate_s=10"));
  send(*output, frames_at({0, 1, 10, 20}), 1, cell);
  output->close(cell);
  CHECK(conformance::balanced(cell));
  CHECK_EQ(cell.delivered, 2u);
  CHECK_EQ(cell.dropped[static_cast<int>(Drop::write_failed)], 2u);
  CHECK(output->take_warning().find("s a directory") != std::string::npos);
  CHECK_EQ(read_port("pcap:" + folder.path("t.pcap")).frames.size(), 2u);
  CHECK_EQ(rmdir(folder.path("t.pcap1").c_str()), 0);
}

TEST(pcap_rotation_options_that_make_no_sense) {
  const Folder folder;
  std::unique_ptr<Output> output;
  std::unique_ptr<Input> input;
  const auto code = [&](const std::string& name) {
    return open_output("pcap:" + folder.path(name), {}, &output).code;
  };
  CHECK(code("a?keep=3") == Code::invalid_argument);
  CHECK(code("a?rotate_mb=-1") == Code::invalid_argument);
  CHECK(code("a?rotate_s=1.5") == Code::invalid_argument);
  CHECK(code("no/folder-%Y.pcap?rotate_s=1") == Code::no_such_file);
  CHECK(open_output("pcap:/dev/null?rotate_mb=1", {}, &output).code == Code::invalid_argument);
  CHECK(open_input("pcap:" + folder.path("a?rotate_s=1"), {}, &input).code ==
        Code::invalid_argument);
  CHECK_EQ(files_of(folder).size(), 0u);
  CHECK(code("100%.pcap") == Code::ok);  // without rotation a name is a name
  CHECK_EQ(joined(files_of(folder)), "100%.pcap");
}
