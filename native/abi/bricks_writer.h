/* libbricks: put packets into a bricks pipe from your own program. What is written at the end
 * `x}0` is read at `x{0`, by an engine's input or by a program, and the other way round. The pipe
 * is made if it is not there yet.
 *
 *   bricks_writer *w;
 *   char why[512];
 *   if (bricks_attach_writer(&w, "x}0", NULL, why, sizeof why) != BRICKS_OK) { puts(why); return 1;
 * } while (bricks_send(w, &packet) == BRICKS_FULL) bricks_writer_wait(w, -1); bricks_flush(w);
 *   bricks_writer_detach(w);
 *
 * One producer holds one direction of one pipe at a time. Not thread-safe per writer; different
 * writers are independent. Nothing allocates after attach. */
#ifndef BRICKS_WRITER_H
#define BRICKS_WRITER_H

#include "bricks.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct bricks_writer bricks_writer;

/* Takes the right to write at the end `name`. options: run_dir, timeout_ms (for the daemon to
 * come), spin_us. On success *writer is yours until bricks_writer_detach; else it is NULL and `why`
 * (of `why_size` bytes, may be NULL) says what, where and what to do. BUSY: an engine or a program
 * writes there already. */
bricks_result bricks_attach_writer(bricks_writer **writer, const char *name,
                                   const bricks_options *options, char *why, size_t why_size);

/* Copies a packet into the pipe: captured bytes at data, wire_length (as captured when smaller),
 * timestamp_ns (0: now), link_type (0: Ethernet). Others see it after bricks_flush; a full pipe
 * flushes by itself. BRICKS_OK; BRICKS_FULL: no room, nothing was taken; BRICKS_INVALID: more than
 * 65535 bytes; BRICKS_GONE: the daemon has vanished, or an engine has taken over this direction;
 * BRICKS_FAILED: the ring holds what cannot be: detach. */
bricks_result bricks_send(bricks_writer *writer, const bricks_packet *packet);

/* The same without a copy: *data points to room for `length` bytes (bricks_writer_room at most) in
 * the pipe until bricks_commit, which sends the first `length` of them; a commit of 0 bytes takes
 * the reservation back. Results as bricks_send. */
bricks_result bricks_reserve(bricks_writer *writer, uint32_t length, uint8_t **data);
bricks_result bricks_commit(bricks_writer *writer, uint32_t length, uint64_t timestamp_ns);
uint32_t bricks_writer_room(const bricks_writer *writer);

/* What was sent becomes visible to the consumer, which is woken. */
void bricks_flush(bricks_writer *writer);

/* Flushes, then blocks until there is room for a packet of any length: OK, TIMEOUT, INTERRUPTED,
 * GONE, FAILED. timeout_ms -1 waits for ever. */
bricks_result bricks_writer_wait(bricks_writer *writer, int64_t timeout_ms);

/* Readable (POLLIN) when there may be room again; for poll, epoll, select. BRICKS_FULL arms it. The
 * writer's own: never read or close. */
int bricks_writer_fd(bricks_writer *writer);

/* Flushes and says that this was all: the consumer comes to the end once it has read what is there.
 * Undone by the next packet. */
void bricks_finish(bricks_writer *writer);

/* Packets that were flushed and not yet given back by the consumer, in slots. */
uint32_t bricks_writer_pending(bricks_writer *writer);

/* Flushes and gives the direction back. What was not read stays for the consumer. NULL is fine. */
void bricks_writer_detach(bricks_writer *writer);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
