#include "flows/stream_options.hh"

#include <getopt.h>

#include <cstdio>

#include "flows/program.hh"

namespace bricks::flows {
namespace {

constexpr char kUsageText[] =
    "usage: bricks streams FILE... [--tsv] [--policy NAME] [--streams N]\n"
    "\n"
    "Puts TCP streams in captures together, a row for each direction: who sent, who received, how\n"
    "many bytes, their SHA-256 (- where there are none), whether all is there, how many gaps "
    "there\n"
    "are and how many bytes are known to be missing in them. A SYN on the same ports is another\n"
    "stream. Fragments are put together first. Several files are read one after the other as one\n"
    "capture; '-' is standard input.\n"
    "\n"
    "      --tsv          tab-separated rows under a line of column names\n"
    "      --json         JSON lines (the default)\n"
    "      --policy NAME  whose reading of overlapping segments: first, last, bsd (the default),\n"
    "                     linux, old-linux, solaris, hpux10, hpux11, irix, macos, windows,\n"
    "                     windows2k3, vista\n"
    "      --streams N    list at most N streams; segments of others are counted on stderr "
    "(exit 3)\n"
    "  -h, --help         this text\n"
    "\n"
    "  bricks streams eth3.pcap | jq -c 'select(.complete | not)'\n";

int complain(const std::string& what) {
  fprintf(stderr, "bricks streams: %s; see bricks streams -h\n", what.c_str());
  return kUsage;
}

}  // namespace

int parse_stream_options(int argc, char** argv, StreamListOptions* options) {
  enum { kTsv = 256, kJson, kPolicy, kStreams };
  static const struct option kLong[] = {{"tsv", no_argument, nullptr, kTsv},
                                        {"json", no_argument, nullptr, kJson},
                                        {"policy", required_argument, nullptr, kPolicy},
                                        {"streams", required_argument, nullptr, kStreams},
                                        {"help", no_argument, nullptr, 'h'},
                                        {nullptr, 0, nullptr, 0}};
  bool json = false;
  opterr = 0;
  for (int letter; (letter = getopt_long(argc, argv, ":h", kLong, nullptr)) != -1;) {
    switch (letter) {
      case kTsv:
        options->tsv = true;
        break;
      case kJson:
        json = true;
        break;
      case kPolicy:
        if (!streams::policy_from_name(optarg, &options->policy)) {
          return complain("--policy wants the name of an overlap policy, not '" +
                          std::string(optarg) + "'");
        }
        break;
      case kStreams:
        if (!parse_number(optarg, kStreamsMax, &options->streams)) {
          return complain("--streams wants a number from 1 to " + std::to_string(kStreamsMax) +
                          ", not '" + optarg + "'");
        }
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
  return wrong.empty() ? -1 : complain(wrong);
}

}  // namespace bricks::flows
