// libpcap's own test table over real captures, when the shared folder is there.
#include <pcap/pcap.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "check.hh"
#include "expression_packets.hh"
#include "filter/expression.hh"

using namespace bricks;
using namespace expression_test;
namespace fs = std::filesystem;

namespace {

fs::path shared_folder() {
  if (const char* given = std::getenv("BRICKS_SHARED")) return given;
  const fs::path root = fs::absolute(fs::path(__FILE__)).parent_path().parent_path().parent_path();
  for (const fs::path& start : {root, fs::current_path(), fs::current_path().parent_path()}) {
    if (fs::exists(start / "../shared/pcaps")) return start / "../shared";
  }
  return root / "../shared";
}

// What a capture's header says for a link type that libpcap's reader has renamed.
LinkType linktype_of(int dlt) {
  if (dlt == DLT_RAW) return LinkType::raw;
  if (dlt == DLT_ATM_RFC1483) return static_cast<LinkType>(100);
  return static_cast<LinkType>(dlt);
}

// What the installed libpcap says; its words for link types change from release to release.
std::string libpcap_answers(const fs::path& capture, const std::string& text) {
  char why[PCAP_ERRBUF_SIZE];
  pcap_t* handle = pcap_open_offline(capture.c_str(), why);
  if (handle == nullptr) return {};
  std::string result;
  bpf_program program{};
  const bool compiled = !pcap_compile(handle, &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN);
  pcap_pkthdr* header;
  const uint8_t* data;
  while (pcap_next_ex(handle, &header, &data) == 1) {
    result += compiled && pcap_offline_filter(&program, header, data) ? '1' : '0';
  }
  if (compiled) pcap_freecode(&program);
  pcap_close(handle);
  return result;
}

// One character per packet, as the table has it; empty: the capture cannot be read.
std::string answers(const fs::path& capture, const Expression& expression) {
  char why[PCAP_ERRBUF_SIZE];
  pcap_t* handle = pcap_open_offline(capture.c_str(), why);
  if (handle == nullptr) return {};
  Batch batch;
  batch.count = 1;
  batch.link = linktype_of(pcap_datalink(handle));
  std::string result;
  pcap_pkthdr* header;
  const uint8_t* data;
  while (pcap_next_ex(handle, &header, &data) == 1) {
    Bytes frame(data, data + header->caplen);
    batch.packets[0] = {};
    batch.packets[0].data = frame.data();
    batch.packets[0].length = header->caplen;
    if (header->len > header->caplen) batch.packets[0].flags = kPacketCut;
    batch.wire_lengths[0] = header->len;
    const Index pick = 0;
    Index matched[1];
    result += expression.match(batch, &pick, 1, matched) ? '1' : '0';
  }
  pcap_close(handle);
  return result;
}

struct Tally {
  int agreed = 0, as_installed = 0, disagreed = 0, other_link = 0;
};

void check_table(const fs::path& table, const fs::path& capture, Tally* tally) {
  std::ifstream lines(table);
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream row(line);
    std::string name, text, count, expected;
    std::getline(row, name, '\t');
    std::getline(row, text, '\t');
    std::getline(row, count, '\t');
    std::getline(row, expected, '\t');
    std::unique_ptr<Expression> expression;
    if (!compile_expression(text, &expression).ok()) {  // words for other link types only
      ++tally->other_link;
      continue;
    }
    const std::string actual = answers(capture, *expression);
    if (actual == expected) {
      ++tally->agreed;
    } else if (actual == libpcap_answers(capture, text)) {
      ++tally->as_installed;
    } else {
      ++tally->disagreed;
      std::printf("  disagrees: %s on %s\n", text.c_str(), capture.filename().c_str());
    }
  }
}

fs::path find_capture(const fs::path& folder, const std::string& name) {
  if (!fs::exists(folder)) return {};
  for (const auto& each : fs::recursive_directory_iterator(folder)) {
    if (each.path().filename() == name) return each.path();
  }
  return {};
}

}  // namespace

TEST(expression_agrees_with_published_tables) {
  const fs::path shared = shared_folder();
  const fs::path tables = shared / "pcaps/expected/libpcap-bpf";
  if (!fs::exists(tables)) SKIP("no " + tables.string() + " (BRICKS_SHARED names the folder)");
  Tally tally;
  for (const fs::directory_entry& entry : fs::directory_iterator(tables)) {
    const std::string file = entry.path().filename().string();
    const std::string suffix = ".filters.tsv";
    if (!file.ends_with(suffix)) continue;
    const std::string capture = file.substr(0, file.size() - suffix.size());
    for (const char* project : {"pcaps/pcap/libpcap", "pcaps/pcap/tcpdump"}) {
      const fs::path path = find_capture(shared / project, capture);
      if (path.empty()) continue;
      check_table(entry.path(), path, &tally);
      break;
    }
  }
  std::printf(
      "  published tables: %d rows agree, %d differ as the installed libpcap does, "
      "%d disagree, %d not for Ethernet\n",
      tally.agreed, tally.as_installed, tally.disagreed, tally.other_link);
  CHECK(tally.agreed > 30);
  CHECK_EQ(tally.disagreed, 0);
}
