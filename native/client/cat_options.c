/* bricks-cat: the command line. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cat.h"

static const char kUsage[] =
    "usage: bricks cat PIPE [-w FILE|-] [-c N] [--timeout S] [--follow] [--ng] [-q]\n"
    "       bricks cat --tap LINK | --last S LINK [-f EXPR] [-w FILE|-] ...\n"
    "\n"
    "Reads a pipe such as 'eth3}0' and writes what comes as a capture to stdout; on a terminal,\n"
    "one line per packet. Waits for daemon and pipe to come, and ends when the input ends.\n"
    "\n"
    "  -w FILE      write the capture to FILE ('-': stdout, even if that is a terminal)\n"
    "  -c N         end after N packets\n"
    "  --timeout S  give up when no packet came for S seconds (exit 124)\n"
    "  --follow     when the input ends, or the daemon does, wait for more\n"
    "  --ng         write pcapng instead of pcap: holds packets of several link types\n"
    "  --tap        a copy of a link (bricks status lists them), whoever else reads it\n"
    "  --last S     a copy that begins with the last S seconds, where a recorder keeps them\n"
    "  -f EXPR      packets of the copy that match (pcap-filter(7))\n"
    "  -q           no summary at the end\n"
    "  -h           this text\n"
    "\n"
    "  bricks cat 'eth3}0' | tcpdump -r -\n"
    "  bricks cat 'eth3}0' -w out.pcap -c 1000\n"
    "\n"
    "The daemon's folder: $BRICKS_RUN_DIR, else /run/bricks for root, else "
    "$XDG_RUNTIME_DIR/bricks.\n";

static int complain(const char *what, const char *which) {
  fprintf(stderr, "bricks cat: %s%s; see bricks cat -h\n", what, which);
  return CAT_USAGE;
}

static bool parse_count(const char *text, uint64_t *count) {
  char *end;
  errno = 0;
  if (!*text || strspn(text, "0123456789") != strlen(text)) return false;
  *count = strtoull(text, &end, 10);
  return errno == 0 && *end == 0 && *count > 0;
}

static bool parse_seconds(const char *text, int64_t *milliseconds) {
  char *end;
  if (!*text || strspn(text, "0123456789.") != strlen(text)) return false;
  const double seconds = strtod(text, &end);
  if (*end || !(seconds >= 0) || seconds > 1e9) return false;
  *milliseconds = (int64_t)(seconds * 1000 + 0.5);
  return true;
}

/* "10", "0.5", "10s" */
static bool parse_last(const char *text, uint32_t *milliseconds) {
  char number[32];
  int64_t parsed;
  const size_t length = strlen(text), unit = length > 1 && text[length - 1] == 's';
  if (length - unit >= sizeof number) return false;
  memcpy(number, text, length - unit);
  number[length - unit] = 0;
  if (!parse_seconds(number, &parsed) || parsed == 0 || parsed > 86400000) return false;
  *milliseconds = (uint32_t)parsed;
  return true;
}

static int check(const struct cat_options *options) {
  if (options->filter && !options->tap) {
    return complain("-f filters a copy; add --tap, or have the pipe's name say so: ",
                    "'eth3{0?filter=...'");
  }
  if (options->file && !*options->file) return complain("-w wants a file's name", "");
  return -1;
}

int cat_parse(int argc, char **argv, struct cat_options *options) {
  enum { kTimeout = 256, kFollow, kNg, kTap, kLast };
  static const struct option kLong[] = {{"write", required_argument, NULL, 'w'},
                                        {"count", required_argument, NULL, 'c'},
                                        {"timeout", required_argument, NULL, kTimeout},
                                        {"follow", no_argument, NULL, kFollow},
                                        {"ng", no_argument, NULL, kNg},
                                        {"tap", no_argument, NULL, kTap},
                                        {"last", required_argument, NULL, kLast},
                                        {"filter", required_argument, NULL, 'f'},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  *options = (struct cat_options){.timeout_ms = -1};
  opterr = 0;
  for (int letter; (letter = getopt_long(argc, argv, ":w:c:f:qh", kLong, NULL)) != -1;) {
    switch (letter) {
      case 'w':
        options->file = optarg;
        break;
      case 'c':
        if (!parse_count(optarg, &options->count)) {
          return complain("-c wants a number of packets, 1 or more, not ", optarg);
        }
        break;
      case kTimeout:
        if (!parse_seconds(optarg, &options->timeout_ms)) {
          return complain("--timeout wants seconds, such as 5 or 0.5, not ", optarg);
        }
        break;
      case kTap:
        options->tap = true;
        break;
      case 'f':
        options->filter = optarg;
        break;
      case kLast:
        if (!parse_last(optarg, &options->last_ms)) {
          return complain("--last wants seconds up to 86400, such as 10 or 10s, not ", optarg);
        }
        options->tap = true;
        break;
      case kFollow:
        options->follow = true;
        break;
      case kNg:
        options->ng = true;
        break;
      case 'q':
        options->quiet = true;
        break;
      case 'h':
        return fputs(kUsage, stdout) < 0 ? CAT_FAILED : CAT_OK;
      case ':':
        return complain("a value is missing after ", argv[optind - 1]);
      default:
        return complain("there is no option ", argv[optind - 1]);
    }
  }
  if (optind == argc) {
    fputs(kUsage, stderr);
    return CAT_USAGE;
  }
  options->pipe = argv[optind];
  if (optind + 1 < argc)
    return complain("one pipe at a time; this is too much: ", argv[optind + 1]);
  return check(options);
}
