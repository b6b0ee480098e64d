/* libbricks: what of a daemon can be read, and copies of it (abi/bricks_list.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/bricks_list.h"
#include "abi/pipe.h"
#include "client/ask.h"
#include "client/consumer.h"

_Static_assert(sizeof(bricks_listed) == 544, "rows cross a socket");
_Static_assert(offsetof(struct bricks_tap_request, name) ==
                   offsetof(struct bricks_attach_request, name),
               "requests begin alike");

enum { kRowsMax = 65536 };

static bool read_all(int fd, void *to, size_t bytes) {
  for (size_t at = 0; at < bytes;) {
    const ssize_t n = pread(fd, (char *)to + at, bytes - at, (off_t)at);
    if (n == 0 || (n < 0 && errno != EINTR)) return false;
    if (n > 0) at += (size_t)n;
  }
  return true;
}

static bricks_result take_rows(const struct asking *a, int fd, uint64_t bytes, bricks_listed **rows,
                               uint32_t *count) {
  if (bytes % sizeof **rows != 0 || bytes / sizeof **rows > kRowsMax) {
    return bricks_refuse(a, BRICKS_FAILED,
                         "the daemon's list has a size that cannot be; are daemon and libbricks "
                         "of one version?");
  }
  if (bytes == 0) return BRICKS_OK;
  bricks_listed *made = malloc(bytes);
  if (!made || !read_all(fd, made, bytes)) {
    free(made);
    return bricks_refuse(a, BRICKS_FAILED, "cannot read the daemon's list: %s", strerror(errno));
  }
  *rows = made;
  *count = (uint32_t)(bytes / sizeof *made);
  for (uint32_t i = 0; i < *count; ++i) {
    made[i].name[sizeof made[i].name - 1] = 0;
    made[i].sentence[sizeof made[i].sentence - 1] = 0;
  }
  return BRICKS_OK;
}

bricks_result bricks_list(bricks_listed **rows, uint32_t *count, const bricks_options *options,
                          char *why, size_t why_size) {
  static const bricks_options kDefaults;
  struct asking a;
  if (!options) options = &kDefaults;
  *rows = NULL;
  *count = 0;
  bricks_result result =
      bricks_ask_prepare(&a, options->run_dir, options->timeout_ms, why, why_size);
  if (result != BRICKS_OK) return result;
  a.name = "the daemon's list";
  const struct bricks_attach_request request = {
      .magic = BRICKS_PIPE_MAGIC, .version = BRICKS_PIPE_VERSION, .operation = BRICKS_LIST};
  struct bricks_attach_reply reply;
  int fd, connection;
  result = bricks_ask(&a, &request, sizeof request, &reply, sizeof reply, &fd, 1, &connection);
  if (result != BRICKS_OK) return result;
  close(connection);
  reply.message[sizeof reply.message - 1] = 0;
  result = bricks_ask_verdict(&a, reply.code, reply.message);
  if (result != BRICKS_OK) return result;
  result = take_rows(&a, fd, reply.region_bytes, rows, count);
  close(fd);
  return result;
}

/* a->name fits. */
static bricks_result fill_request(const struct asking *a, struct bricks_tap_request *request,
                                  const char *filter, uint32_t last_ms) {
  *request = (struct bricks_tap_request){.magic = BRICKS_PIPE_MAGIC,
                                         .version = BRICKS_PIPE_VERSION,
                                         .operation = BRICKS_TAP,
                                         .last_ms = last_ms};
  if (!filter) filter = "";
  if (strlen(filter) >= sizeof request->expression) {
    return bricks_refuse(a, BRICKS_INVALID, "the filter is longer than %zu bytes",
                         sizeof request->expression - 1);
  }
  memcpy(request->name, a->name, strlen(a->name));
  memcpy(request->expression, filter, strlen(filter));
  return BRICKS_OK;
}

bricks_result bricks_tap(bricks_consumer **consumer, const char *link,
                         const bricks_tap_options *tap, const bricks_options *options, char *why,
                         size_t why_size) {
  static const bricks_options kDefaults;
  static const bricks_tap_options kAll;
  struct asking a;
  if (!options) options = &kDefaults;
  if (!tap) tap = &kAll;
  *consumer = NULL;
  bricks_result result =
      bricks_ask_prepare(&a, options->run_dir, options->timeout_ms, why, why_size);
  if (result != BRICKS_OK) return result;
  a.name = link ? link : "";
  if (!*a.name || strlen(a.name) >= BRICKS_NAME_BYTES) {
    return bricks_refuse(&a, BRICKS_INVALID,
                         "a link's name has 1 to %u bytes; `bricks status` lists those there are",
                         BRICKS_NAME_BYTES - 1);
  }
  struct bricks_tap_request request;
  result = fill_request(&a, &request, tap->filter, tap->last_ms);
  if (result != BRICKS_OK) return result;
  return bricks_begin_consumer(&a, options, &request, sizeof request, consumer);
}

bricks_result bricks_tap_filter(bricks_consumer *consumer, const char *filter, char *why,
                                size_t why_size) {
  const struct asking a = {
      .name = consumer->name, .why = why, .why_size = why_size, .address.sun_path = "ports.sock"};
  struct bricks_tap_request request;
  struct bricks_attach_reply reply;
  bricks_result result = fill_request(&a, &request, filter, 0);
  if (result == BRICKS_OK) {
    result = bricks_ask_again(&a, consumer->end.connection, &request, sizeof request, &reply,
                              sizeof reply);
  }
  if (result != BRICKS_OK) return result;
  reply.message[sizeof reply.message - 1] = 0;
  return bricks_ask_verdict(&a, reply.code, reply.message);
}
