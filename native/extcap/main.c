/* bricks-extcap: what Wireshark asked for. It asks often, for every program in its folder, and
 * waits: whatever the daemon does, the answer comes within a second. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "extcap/extcap.h"

static void give_up(int number) {
  (void)number;
  _exit(0); /* what was printed so far is complete lines */
}

int main(int argc, char **argv) {
  struct extcap_options options;
  const int fault = extcap_parse(argc, argv, &options);
  if (fault) return fault;
  if (options.capture) return extcap_capture(&options);
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGALRM, give_up);
  alarm(1);
  if (options.interfaces) return extcap_print_interfaces();
  if (!options.interface) {
    fputs("bricks-extcap: --extcap-interface is missing; see bricks-extcap --help\n", stderr);
    return 2;
  }
  if (options.dlts) return extcap_print_dlts(&options);
  if (options.config) return extcap_print_config(&options);
  if (options.filter) return extcap_check_filter(&options);
  fputs("bricks-extcap: nothing is asked for; see bricks-extcap --help\n", stderr);
  return 2;
}
