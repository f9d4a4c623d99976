#include "protocol/pathmtu.h"

#include <sodium.h>

#include "protocol/control.h"
#include "protocol/link_state.h"

#define TRIES 2

/* What IPv6 needs; Ethernet without and with a tunnel in between; jumbo frames. */
static const uint32_t first_sizes[] = {SW_MTU_LEAST, 1376, 1440, 4064};
enum { FIRST_SIZES = sizeof(first_sizes) / sizeof(first_sizes[0]) };
_Static_assert(FIRST_SIZES + 1 == SW_MTU_SIZES, "one round: these and the largest");

/* The largest size up to `size` of which a datagram holds whole blocks. */
static uint32_t whole_blocks(uint32_t size) {
  return size - (size - SW_MTU_FIRST_BLOCK) % SW_MTU_BLOCK;
}

/* ---- rounds ---- */

static void end_search(struct sw_link *link) {
  struct sw_pathmtu *search = &link->pathmtu;
  search->id = 0;
  search->at = link->now + SW_MTU_AGAIN - sw_jitter(SW_MTU_AGAIN / SW_PROBE_SPREAD);
}

/* Adds a size to the round if its result is not known.  Sizes are added in ascending order. */
static void add_size(struct sw_pathmtu *search, uint32_t size) {
  if (size <= search->passed || size >= search->failed) return;
  if (search->count > 0 && size <= search->sizes[search->count - 1]) return;
  search->sizes[search->count++] = size;
}

static void begin_round(struct sw_link *link) {
  link->pathmtu.next = link->pathmtu.sends = 0;
  link->pathmtu.at = link->now;
}

/* The largest size that is of interest. */
static uint32_t most(const struct sw_pathmtu *search) {
  return search->limit && search->limit < SW_MTU_MOST ? search->limit : SW_MTU_MOST;
}

static void begin_search(struct sw_link *link, uint32_t passed) {
  struct sw_pathmtu *search = &link->pathmtu;
  do randombytes_buf(&search->id, sizeof(search->id));
  while (search->id == 0);
  search->begun = link->now;
  search->passed = passed;
  search->failed = most(search) + 1;
  search->count = 0;
  for (unsigned i = 0; i < FIRST_SIZES; i++) add_size(search, first_sizes[i]);
  add_size(search, most(search));
  if (search->count)
    begin_round(link);
  else
    end_search(link);
}

/* The next round divides what is left between the limits. */
static void go_on(struct sw_link *link) {
  struct sw_pathmtu *search = &link->pathmtu;
  const uint32_t low = search->passed, high = search->failed;
  search->count = 0;
  for (unsigned i = 1; i < SW_MTU_PARTS; i++)
    add_size(search, whole_blocks(low + (high - low) * i / SW_MTU_PARTS));
  if (!search->count) add_size(search, whole_blocks(high - 1));
  if (search->count)
    begin_round(link);
  else
    end_search(link);
}

/* With a configured MTU the result is whether the path carries that, else the largest size. */
static void take_result(struct sw_pathmtu *search) {
  const uint32_t least = most(search) < SW_MTU_LEAST ? most(search) : SW_MTU_LEAST;
  search->found = search->passed ? search->passed : least;
  search->fragment = search->passed < (search->limit ? most(search) : least);
  if (search->limit && !search->fragment) search->found = search->limit;
}

/* No more answers are expected in this round. */
static void end_round(struct sw_link *link) {
  struct sw_pathmtu *search = &link->pathmtu;
  if (search->count && !search->passed && link->paths.active->answer_time < search->begun) {
    link->paths.active->probe_at = link->now; /* does it work at all? */
    begin_round(link);
    search->at = link->now + SW_MTU_HINTS;
    return;
  }
  if (search->count) search->failed = search->sizes[0];
  if (search->passed)
    go_on(link);
  else
    end_search(link);
  if (!search->id || !search->limit) take_result(search);
}

/* ---- events ---- */

void sw_pathmtu_begin(struct sw_link *link, uint32_t known) {
  struct sw_pathmtu *search = &link->pathmtu;
  search->found = search->limit ? search->limit : known ? known : SW_MTU_LEAST;
  search->fragment = false;
  begin_search(link, 0);
}

void sw_pathmtu_set(struct sw_link *link, uint32_t mtu) {
  struct sw_pathmtu *search = &link->pathmtu;
  if (search->found && search->limit == mtu) return;
  *search = (struct sw_pathmtu){.limit = mtu, .found = mtu ? mtu : SW_MTU_LEAST, .at = UINT64_MAX};
  if (link->paths.active) sw_pathmtu_begin(link, 0);
}

void sw_pathmtu_hint(struct sw_link *link) {
  struct sw_pathmtu *search = &link->pathmtu;
  if (search->id || link->now < search->hint_at) return;
  search->hint_at = link->now + SW_MTU_HINTS;
  begin_search(link, 0);
}

void sw_pathmtu_reported(struct sw_link *link) {
  struct sw_candidate *active = link->paths.active;
  const uint32_t id = link->pathmtu.id;
  sw_pathmtu_hint(link);
  if (link->pathmtu.id != id && !active->unanswered) active->probe_at = link->now;
}

/* Whether a probe of this size is under way.  Then its result is known now. */
static bool take_sent(struct sw_pathmtu *search, uint32_t size) {
  bool found = false;
  for (unsigned i = 0; i < SW_MTU_SIZES; i++) {
    if (search->sent[i] != size) continue;
    search->sent[i] = 0;
    found = true;
  }
  return found;
}

/* Several probes may be refused one after the other, the last when the search has ended. */
bool sw_pathmtu_refused(struct sw_link *link, uint32_t size) {
  struct sw_pathmtu *search = &link->pathmtu;
  const bool probe = take_sent(search, size);
  if (!search->id && !probe) sw_pathmtu_hint(link);
  if (!search->id || size >= search->failed) return probe;
  if (size <= search->passed) begin_search(link, 0); /* it does not pass any more */
  unsigned left = 0;
  while (left < search->count && search->sizes[left] < size) left++;
  search->failed = size;
  search->count = left;
  if (search->next > left) search->next = left;
  if (!left) end_round(link);
  return probe;
}

void sw_pathmtu_acknowledged(struct sw_link *link, uint64_t token) {
  struct sw_pathmtu *search = &link->pathmtu;
  const uint32_t size = (uint32_t)token;
  if (!search->id || token >> 32 != search->id) return;
  if (!take_sent(search, size)) return; /* no probe of ours */
  if (size <= search->passed || size > SW_MTU_MOST) return;
  search->passed = size;
  if (search->found < size && !search->limit) search->found = size;
  unsigned left = 0;
  const unsigned count = search->count, next = search->next;
  for (unsigned i = 0; i < count; i++) {
    if (search->sizes[i] > size)
      search->sizes[left++] = search->sizes[i];
    else if (i < next)
      search->next--;
  }
  search->count = left;
  if (!left) end_round(link);
}

/* ---- probes ---- */

uint64_t sw_pathmtu_due(const struct sw_link *link) {
  return link->sessions.current ? link->pathmtu.at : UINT64_MAX;
}

size_t sw_pathmtu_probe(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_pathmtu *search = &link->pathmtu;
  if (!search->id) begin_search(link, search->fragment || search->limit ? 0 : search->found);
  if (search->id && search->next == search->count) {
    if (search->sends == TRIES) end_round(link);
    search->next = 0;
  }
  if (!search->id) return 0;
  const uint32_t size = search->sizes[search->next++];
  search->sent[search->sent_next++ % SW_MTU_SIZES] = size;
  if (search->next == search->count) {
    search->sends++;
    search->at = link->now + sw_paths_patience(link);
  }
  *path = link->paths.active->path;
  const uint64_t token = (uint64_t)search->id << 32 | size;
  const size_t length =
      sw_control_probe(link, link->sessions.current, SW_KIND_CHECK, token, size, size, datagram);
  if (!length) end_search(link); /* the session seals no more */
  return length;
}
