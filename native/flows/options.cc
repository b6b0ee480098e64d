#include "flows/options.hh"

#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bricks::flows {
namespace {

constexpr char kUsageText[] =
    "usage: bricks flows FILE... [--tsv] [--flows N] [-q]\n"
    "\n"
    "Lists the flows in captures, a JSON object a line: both directions of a TCP, UDP or other IP\n"
    "flow with its packets, bytes, payload, times, state and Community ID. Several files are read\n"
    "one after the other as one capture; '-' is standard input. Level `only`: no tunnel; `outer`\n"
    "and `inner`: the two ends of a tunnel, each packet of which counts in both. A is who sent "
    "the\n"
    "first packet. A fragment counts with its datagram's flow, an ICMP error with its own sender.\n"
    "\n"
    "      --tsv      tab-separated rows under a line of column names\n"
    "      --json     JSON lines (the default)\n"
    "      --flows N  list at most N flows; packets of others are counted on stderr (exit 3)\n"
    "  -q, --quiet    no line on stderr about packets that are in no row\n"
    "  -h, --help     this text\n"
    "\n"
    "  bricks flows eth3.pcap | jq -c 'select(.proto == \"tcp\") | [.ip_a, .ip_b, .state]'\n"
    "  tcpdump -i eth3 -c 10000 -w - | bricks flows - --tsv\n";

int complain(const std::string& what) {
  fprintf(stderr, "bricks flows: %s; see bricks flows -h\n", what.c_str());
  return kUsage;
}

}  // namespace

bool parse_number(const char* text, uint32_t most, uint32_t* number) {
  if (!*text || std::strspn(text, "0123456789") != std::strlen(text) || std::strlen(text) > 9) {
    return false;
  }
  const auto value = static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
  *number = value;
  return value >= 1 && value <= most;
}

std::string wrong_files(const std::vector<std::string>& files) {
  size_t inputs = 0;
  for (const std::string& file : files) {
    if (file.empty()) return "a capture's name is empty";
    inputs += file == "-";
  }
  return inputs > 1 ? "standard input ('-') can be read only once" : "";
}

int parse_options(int argc, char** argv, FlowOptions* options) {
  enum { kTsv = 256, kJson, kFlows };
  static const struct option kLong[] = {
      {"tsv", no_argument, nullptr, kTsv},           {"json", no_argument, nullptr, kJson},
      {"flows", required_argument, nullptr, kFlows}, {"quiet", no_argument, nullptr, 'q'},
      {"help", no_argument, nullptr, 'h'},           {nullptr, 0, nullptr, 0}};
  bool json = false;
  opterr = 0;
  for (int letter; (letter = getopt_long(argc, argv, ":qh", kLong, nullptr)) != -1;) {
    switch (letter) {
      case kTsv:
        options->tsv = true;
        break;
      case kJson:
        json = true;
        break;
      case kFlows:
        if (!parse_number(optarg, kFlowsMax, &options->flows)) {
          return complain("--flows wants a number from 1 to " + std::to_string(kFlowsMax) +
                          ", not '" + optarg + "'");
        }
        break;
      case 'q':
        options->quiet = true;
        break;
      case 'h':
        return fputs(kUsageText, stdout) < 0 ? kFailed : kOk;
      case ':':
        return complain(std::string("a value is missing after ") + argv[optind - 1]);
      default:
        return complain(std::string("there is no option ") + argv[optind - 1]);
    }
  }
  if (json && options->tsv) return complain("--json and --tsv are two formats; choose one");
  options->files.assign(argv + optind, argv + argc);
  if (options->files.empty()) {
    fputs(kUsageText, stderr);
    return kUsage;
  }
  const std::string wrong = wrong_files(options->files);
  if (!wrong.empty()) return complain(wrong);
  return -1;
}

}  // namespace bricks::flows
