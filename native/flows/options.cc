#include "flows/options.hh"

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

// A number from 1 to `most`; else false.
bool parse_number(const char* text, uint32_t most, uint32_t* number) {
  if (!*text || std::strspn(text, "0123456789") != std::strlen(text) || std::strlen(text) > 9) {
    return false;
  }
  const auto value = static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
  *number = value;
  return value >= 1 && value <= most;
}

// What is wrong with the names of captures; empty: nothing.
std::string wrong_files(const std::vector<std::string>& files) {
  size_t inputs = 0;
  for (const std::string& file : files) {
    if (file.empty()) return "a capture's name is empty";
    inputs += file == "-";
  }
  return inputs > 1 ? "standard input ('-') can be read only once" : "";
}

}  // namespace

int parse_listing(int argc, char** argv, const Listing& listing, ListingOptions* options) {
  enum { kTsv = 1000, kJson, kRows };
  const std::string rows = listing.rows;
  const auto complain = [&](const std::string& what) {
    fprintf(stderr, "bricks %s: %s; see bricks %s -h\n", rows.c_str(), what.c_str(), rows.c_str());
    return kUsage;
  };
  std::vector<option> all = {{"tsv", no_argument, nullptr, kTsv},
                             {"json", no_argument, nullptr, kJson},
                             {listing.rows, required_argument, nullptr, kRows},
                             {"help", no_argument, nullptr, 'h'}};
  all.insert(all.end(), listing.options.begin(), listing.options.end());
  all.push_back({nullptr, 0, nullptr, 0});
  const std::string letters = ":h" + listing.letters;
  bool json = false;
  opterr = 0;
  for (int letter;
       (letter = getopt_long(argc, argv, letters.c_str(), all.data(), nullptr)) != -1;) {
    std::string wrong;
    switch (letter) {
      case kTsv:
        options->tsv = true;
        break;
      case kJson:
        json = true;
        break;
      case kRows:
        if (!parse_number(optarg, listing.rows_max, &options->rows)) {
          wrong = "--" + rows + " wants a number from 1 to " + std::to_string(listing.rows_max) +
                  ", not '" + optarg + "'";
        }
        break;
      case 'h':
        return fputs(listing.usage, stdout) < 0 ? kFailed : kOk;
      case ':':
        wrong = std::string("a value is missing after ") + argv[optind - 1];
        break;
      case '?':
        wrong = std::string("there is no option ") + argv[optind - 1];
        break;
      default:
        wrong = listing.take(letter, optarg);
    }
    if (!wrong.empty()) return complain(wrong);
  }
  if (json && options->tsv) return complain("--json and --tsv are two formats; choose one");
  options->files.assign(argv + optind, argv + argc);
  if (options->files.empty()) {
    fputs(listing.usage, stderr);
    return kUsage;
  }
  const std::string wrong = wrong_files(options->files);
  return wrong.empty() ? -1 : complain(wrong);
}

int parse_options(int argc, char** argv, FlowOptions* options) {
  const Listing listing = {"flows",
                           kFlowsMax,
                           kUsageText,
                           {{"quiet", no_argument, nullptr, 'q'}},
                           "q",
                           [options](int, const char*) {
                             options->quiet = true;
                             return std::string();
                           }};
  return parse_listing(argc, argv, listing, options);
}

}  // namespace bricks::flows
