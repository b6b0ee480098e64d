/* Counts packets and bytes of the pipes named on the command line, all of them in one loop:
 *   ./consumer 'eth3}0' 'eth3}1'
 * Ends when every pipe has ended, or at Ctrl-C. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "bricks.h"

enum { kPipesMax = 64, kBatch = 128 };

static volatile sig_atomic_t stopped;
static void stop(int number) { stopped = number; }

int main(int argc, char **argv) {
  bricks_consumer *pipes[kPipesMax] = {0};
  unsigned long long packets[kPipesMax] = {0}, bytes[kPipesMax] = {0};
  struct pollfd fds[kPipesMax];
  const bricks_options options = {.timeout_ms = 10000}; /* for daemon and pipes to come */
  const int count = argc - 1;
  char why[512];
  if (count < 1 || count > kPipesMax) return fprintf(stderr, "usage: consumer PIPE...\n"), 2;
  signal(SIGINT, stop);
  for (int i = 0; i < count; ++i) {
    const bricks_result result = bricks_attach(&pipes[i], argv[i + 1], &options, why, sizeof why);
    if (result != BRICKS_OK) return fprintf(stderr, "consumer: %s\n", why), result;
    fds[i] = (struct pollfd){.fd = bricks_fd(pipes[i]), .events = POLLIN};
  }
  for (int open = count; open > 0 && !stopped;) {
    for (int i = 0; i < count; ++i) {
      if (fds[i].fd < 0) continue;
      bricks_packet batch[kBatch];
      bricks_result result;
      uint32_t n;
      while ((result = bricks_next_batch(pipes[i], batch, kBatch, &n)) == BRICKS_OK) {
        packets[i] += n;
        for (uint32_t k = 0; k < n; ++k) bytes[i] += batch[k].captured;
      }
      if (result == BRICKS_EMPTY) continue; /* now the descriptor tells of news */
      fprintf(stderr, "%s: %s\n", argv[i + 1], bricks_result_text(result));
      fds[i].fd = -1; /* poll leaves it out */
      --open;
    }
    if (open > 0 && !stopped) poll(fds, (nfds_t)count, 1000);
  }
  for (int i = 0; i < count; ++i) {
    printf("%s: %llu packets, %llu bytes\n", argv[i + 1], packets[i], bytes[i]);
    bricks_detach(pipes[i]);
  }
  return 0;
}
