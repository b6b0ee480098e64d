/* bricks-extcap: the toolbar. Messages both ways: 'T', three bytes of length (of what follows), the
 * control's number, a command, and its value. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "extcap/extcap.h"

enum { kSet = 1, kAdd = 2, kStatusBar = 6, kHeadBytes = 6, kTextMax = 1024 };

void extcap_print_controls(void) {
  printf(
      "control {number=%d}{type=boolean}{display=Pause}"
      "{tooltip=Leave out packets until this is unset}\n"
      "control {number=%d}{type=string}{display=Filter}"
      "{tooltip=A capture filter for what comes from now on}{placeholder=capture filter}\n"
      "control {number=%d}{type=button}{role=logger}{display=Log}"
      "{tooltip=What was changed, and when}\n",
      EXTCAP_PAUSE, EXTCAP_FILTER, EXTCAP_LOG);
}

int extcap_control_open(struct extcap_control *control, const struct extcap_options *options) {
  memset(control, 0, sizeof *control);
  control->in = control->out = -1;
  if (!options->control_in || !options->control_out) return 0;
  /* Both ways open: nobody waits for whom, and Wireshark's going is no end of file. */
  control->in = open(options->control_in, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  control->out = open(options->control_out, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (control->in >= 0 && control->out >= 0) return 0;
  fprintf(stderr, "bricks-extcap: cannot open the toolbar's pipes: %s\n", strerror(errno));
  return 1;
}

static void say(struct extcap_control *control, int number, int command, const char *text) {
  if (control->out < 0) return;
  uint8_t message[kHeadBytes + kTextMax];
  const size_t length = strnlen(text, kTextMax), after = length + 2;
  const uint8_t head[kHeadBytes] = {'T',
                                    (uint8_t)(after >> 16),
                                    (uint8_t)(after >> 8),
                                    (uint8_t)after,
                                    (uint8_t)number,
                                    (uint8_t)command};
  memcpy(message, head, kHeadBytes);
  memcpy(message + kHeadBytes, text, length);
  /* Less than PIPE_BUF: whole or, where nobody reads, not at all. */
  const ssize_t ignored = write(control->out, message, kHeadBytes + length);
  (void)ignored;
}

void extcap_control_status(struct extcap_control *control, const char *text) {
  say(control, 0, kStatusBar, text);
}

void extcap_control_log(struct extcap_control *control, const char *text) {
  char line[kTextMax];
  const time_t now = time(NULL);
  struct tm local;
  localtime_r(&now, &local);
  const size_t used = strftime(line, sizeof line, "%H:%M:%S ", &local);
  snprintf(line + used, sizeof line - used, "%s\n", text);
  say(control, EXTCAP_LOG, kAdd, line);
}

static void take(const uint8_t *message, uint32_t length, struct extcap_wish *wish) {
  const uint8_t *value = message + kHeadBytes;
  const uint32_t bytes = length - kHeadBytes;
  if (message[5] != kSet) return;
  if (message[4] == EXTCAP_PAUSE && bytes == 1) {
    wish->paused = value[0] != 0;
    wish->pause_changed = true;
  }
  if (message[4] == EXTCAP_FILTER && bytes < sizeof wish->filter) {
    memcpy(wish->filter, value, bytes);
    wish->filter[bytes] = 0;
    wish->filter_changed = true;
  }
}

void extcap_control_read(struct extcap_control *c, struct extcap_wish *wish) {
  for (;;) {
    const ssize_t n = read(c->in, c->message + c->used, sizeof c->message - c->used);
    if (n <= 0) return;
    c->used += (uint32_t)n;
    while (c->used >= kHeadBytes) {
      const uint32_t after =
          (uint32_t)c->message[1] << 16 | (uint32_t)c->message[2] << 8 | c->message[3];
      const uint32_t length = after + 4;
      if (c->message[0] != 'T' || after < 2 || length > sizeof c->message) {
        fputs("bricks-extcap: the toolbar says what makes no sense; it is left alone\n", stderr);
        return extcap_control_close(c);
      }
      if (c->used < length) break;
      take(c->message, length, wish);
      c->used -= length;
      memmove(c->message, c->message + length, c->used);
    }
  }
}

void extcap_control_close(struct extcap_control *control) {
  if (control->in >= 0) close(control->in);
  if (control->out >= 0) close(control->out);
  control->in = control->out = -1;
}
