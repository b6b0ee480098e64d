/* bricks-extcap: the command line, as Wireshark writes it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extcap/extcap.h"

static const char kUsage[] =
    "bricks-extcap is started by Wireshark, tshark and dumpcap, in whose folder for such programs\n"
    "`bricks wireshark install` puts it. By hand:\n"
    "\n"
    "  bricks-extcap --extcap-interfaces\n"
    "  bricks-extcap --extcap-interface 'bricks:eth3}0' --extcap-config\n"
    "  bricks-extcap --extcap-interface 'bricks:eth3}0' --capture --fifo FILE\n"
    "                [--extcap-capture-filter EXPR] [--last S] [--snaplen N] [--take]\n"
    "                [--format pcapng|pcap]\n"
    "\n"
    "The daemon's folder: $BRICKS_RUN_DIR, else $XDG_RUNTIME_DIR/bricks and /run/bricks.\n";

static int complain(const char *what, const char *which) {
  fprintf(stderr, "bricks-extcap: %s%s; see bricks-extcap --help\n", what, which);
  return 2;
}

static bool parse_number(const char *text, double most, double *number) {
  char *end;
  if (!*text || strspn(text, "0123456789.") != strlen(text)) return false;
  *number = strtod(text, &end);
  return *end == 0 && *number >= 0 && *number <= most;
}

static bool is_true(const char *text) { return !text || strcmp(text, "false") != 0; }

enum {
  kInterfaces = 256,
  kVersion,
  kDlts,
  kConfig,
  kReload,
  kInterface,
  kFilter,
  kFifo,
  kCapture,
  kControlIn,
  kControlOut,
  kTake,
  kSnapLength,
  kLast,
  kFormat,
  kHelp
};

static const struct option kLong[] = {{"extcap-interfaces", no_argument, NULL, kInterfaces},
                                      {"extcap-version", optional_argument, NULL, kVersion},
                                      {"extcap-dlts", no_argument, NULL, kDlts},
                                      {"extcap-config", no_argument, NULL, kConfig},
                                      {"extcap-reload-option", required_argument, NULL, kReload},
                                      {"extcap-interface", required_argument, NULL, kInterface},
                                      {"extcap-capture-filter", required_argument, NULL, kFilter},
                                      {"fifo", required_argument, NULL, kFifo},
                                      {"capture", no_argument, NULL, kCapture},
                                      {"extcap-control-in", required_argument, NULL, kControlIn},
                                      {"extcap-control-out", required_argument, NULL, kControlOut},
                                      {"take", optional_argument, NULL, kTake},
                                      {"snaplen", required_argument, NULL, kSnapLength},
                                      {"last", required_argument, NULL, kLast},
                                      {"format", required_argument, NULL, kFormat},
                                      {"help", no_argument, NULL, kHelp},
                                      {NULL, 0, NULL, 0}};

static int set_value(int option, const char *value, struct extcap_options *options) {
  double number = 0;
  switch (option) {
    case kInterface: {
      const size_t prefix = strlen(EXTCAP_PREFIX);
      if (strncmp(value, EXTCAP_PREFIX, prefix) != 0 || !value[prefix] ||
          strlen(value + prefix) >= sizeof((bricks_listed *)0)->name) {
        return complain("an interface is called " EXTCAP_PREFIX "NAME, not ", value);
      }
      options->interface = value + prefix;
      return 0;
    }
    case kSnapLength:
      if (!parse_number(value, 65535, &number)) {
        return complain("--snaplen takes bytes from 1 to 65535, or 0 for whole packets, not ",
                        value);
      }
      options->snap_length = (uint32_t)number;
      return 0;
    case kLast:
      if (!parse_number(value, 86400, &number)) {
        return complain("--last takes seconds from 0 to 86400, not ", value);
      }
      options->last_ms = (uint32_t)(number * 1000 + 0.5);
      return 0;
    case kFormat:
      options->classic = strcmp(value, "pcap") == 0;
      if (options->classic || strcmp(value, "pcapng") == 0) return 0;
      return complain("--format is pcapng or pcap, not ", value);
    default:
      return 0;
  }
}

int extcap_parse(int argc, char **argv, struct extcap_options *options) {
  memset(options, 0, sizeof *options);
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, ":", kLong, NULL)) != -1;) {
    int fault = 0;
    switch (option) {
      case kInterfaces:
        options->interfaces = true;
        break;
      case kDlts:
        options->dlts = true;
        break;
      case kConfig:
        options->config = true;
        break;
      case kCapture:
        options->capture = true;
        break;
      case kFilter:
        options->filter = optarg;
        break;
      case kFifo:
        options->fifo = optarg;
        break;
      case kControlIn:
        options->control_in = optarg;
        break;
      case kControlOut:
        options->control_out = optarg;
        break;
      case kTake:
        options->take = is_true(optarg);
        break;
      case kHelp:
        exit(fputs(kUsage, stdout) < 0 ? 1 : 0);
      case ':':
        return complain("a value is missing after ", argv[optind - 1]);
      case '?':
        /* What later versions of Wireshark add is no reason to show no interfaces. */
        if (strncmp(argv[optind - 1], "--extcap-", 9) != 0) {
          return complain("there is no option ", argv[optind - 1]);
        }
        break;
      default:
        fault = set_value(option, optarg, options);
    }
    if (fault) return fault;
  }
  return 0;
}
