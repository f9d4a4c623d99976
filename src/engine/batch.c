#include "engine/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Several for each thread, so that a thread that starts late or runs slowly takes fewer. */
#define SHARES_PER_THREAD 3
#define SHARES_MAX 16

/* Smaller segments overlap with more than their neighbours.  Larger ones do not occur. */
#define SEGMENT_LEAST 1024
#define SEGMENT_MOST 9216
_Static_assert(SEGMENT_LEAST >= 2 * SW_HEADERS_MAX + SW_SLACK,
               "a segment overlaps with the next only");
_Static_assert(SW_HEADROOM >= SW_GRO_HEADROOM, "opened packets can be coalesced");

/*
 * The shares of a super-packet lie next to each other, and so do their datagrams:
 *
 *     packet      header | payload 0 | payload 1 | payload 2 || payload 3 | payload 4 | ...
 *     datagrams   | datagram 0 | datagram 1 | datagram 2 || datagram 3 | datagram 4 | ...
 *
 * The header of the first segment after || would be written over payload 2 while another thread
 * seals it, and the slack behind datagram 2 would overwrite datagram 3.  So the first segment of a
 * share is made and sealed in a buffer of its own, the seam, and its datagram is copied into place
 * once all shares are done.  Two overlaps remain, with bytes that no other thread uses: sealing the
 * last segment before || reads the start of payload 3, and the second segment after || writes its
 * header over the end of payload 3 and, for a moment, over the end of datagram 3.
 */
struct sw_seam {
  uint8_t packet[SW_HEADROOM + SW_HEADERS_MAX + SEGMENT_MOST + SW_SLACK];
  uint8_t datagram[SW_HEADROOM + SW_OVERHEAD + SW_HEADERS_MAX + SEGMENT_MOST + SW_SLACK];
};

static bool spreads(const struct sw_batch *batch, size_t bytes) {
  return bytes >= SW_BATCH_LEAST && sw_workers_engaged(batch->workers);
}

/* Into how many shares `count` pieces of work are divided. */
static unsigned shares_of(const struct sw_batch *batch, unsigned count) {
  unsigned shares = (batch->workers->count + 1) * SHARES_PER_THREAD;
  if (shares > SHARES_MAX) shares = SHARES_MAX;
  return shares < count ? shares : count;
}

int sw_batch_start(struct sw_batch *batch, struct sw_workers *workers, uint8_t *room) {
  *batch = (struct sw_batch){.workers = workers, .room = room};
  batch->seams = calloc(SHARES_MAX, sizeof(*batch->seams));
  return batch->seams ? 0 : -ENOMEM;
}

void sw_batch_stop(struct sw_batch *batch) {
  free(batch->seams);
  batch->seams = NULL;
}

/* ---- sealing ---- */

struct seal {
  struct sw_seam *seams;
  const struct sw_gso *gso;
  struct sw_sealing sealing;
  unsigned shares;
  uint8_t *datagrams;
  size_t each;
};

static unsigned first_of(const struct seal *seal, unsigned share) {
  return share * seal->sealing.count / seal->shares;
}

static uint8_t *place_of(const struct seal *seal, unsigned index) {
  return seal->datagrams + index * seal->each;
}

static void seal_share(void *context, unsigned share) {
  const struct seal *seal = context;
  struct sw_gso gso = *seal->gso;
  struct sw_segment segment;
  unsigned index = first_of(seal, share);
  const unsigned end = first_of(seal, share + 1);
  sw_gso_skip(&gso, index);
  if (share > 0) {
    struct sw_seam *seam = &seal->seams[share];
    sw_gso_next_apart(&gso, seam->packet + SW_HEADROOM, &segment);
    sw_sealing_run(&seal->sealing, index++, segment.packet, segment.length,
                   seam->datagram + SW_HEADROOM);
  }
  for (; index < end && sw_gso_next(&gso, &segment); index++)
    sw_sealing_run(&seal->sealing, index, segment.packet, segment.length, place_of(seal, index));
}

int64_t sw_batch_seal(struct sw_batch *batch, struct sw_link *link, uint64_t now,
                      const struct sw_gso *gso, uint8_t *datagrams, size_t *each) {
  const size_t size = gso->offload.size;
  if (gso->offload.gso == SW_GSO_NONE || size < SEGMENT_LEAST || size > SEGMENT_MOST ||
      !spreads(batch, gso->view.length))
    return -EAGAIN;
  const unsigned count = sw_gso_count(gso);
  const size_t bytes = count * gso->header + (gso->view.length - gso->header);
  const size_t sealed = bytes + (size_t)count * SW_OVERHEAD;
  struct seal seal = {.seams = batch->seams,
                      .gso = gso,
                      .shares = shares_of(batch, count),
                      .datagrams = datagrams,
                      .each = SW_OVERHEAD + gso->header + size};
  *each = seal.each;
  if (sw_link_seal_begin(link, now, count, bytes, gso->partial, &seal.sealing) != 0) return 0;
  sw_workers_run(batch->workers, seal_share, &seal, seal.shares);
  for (unsigned share = 1; share < seal.shares; share++) {
    uint8_t *place = place_of(&seal, first_of(&seal, share));
    const size_t left = sealed - (size_t)(place - datagrams);
    memcpy(place, batch->seams[share].datagram + SW_HEADROOM, left < *each ? left : *each);
  }
  return (int64_t)sealed;
}

/* ---- opening ---- */

bool sw_batch_opens(const struct sw_batch *batch, size_t bytes) {
  return spreads(batch, bytes);
}

bool sw_batch_add(struct sw_batch *batch, struct sw_link *link, uint64_t now,
                  const struct sw_run *run, const uint8_t *datagram, size_t length) {
  const size_t slot = SW_HEADROOM + length + SW_SLACK;
  if (batch->count == SW_BATCH_OPENINGS || batch->used + slot > SW_GRO_BUFFER) return false;
  batch->tos[batch->count] = run->tos;
  struct sw_opening *opening = &batch->openings[batch->count++];
  opening->path = &run->path;
  opening->datagram = datagram;
  opening->length = length;
  opening->packet = batch->room + batch->used + SW_HEADROOM;
  batch->used += slot;
  sw_link_open_begin(link, now, opening);
  return true;
}

static void open_share(void *context, unsigned share) {
  struct sw_batch *batch = context;
  const unsigned end = (share + 1) * batch->count / batch->shares;
  for (unsigned i = share * batch->count / batch->shares; i < end; i++)
    sw_opening_run(&batch->openings[i]);
}

unsigned sw_batch_open(struct sw_batch *batch) {
  const unsigned count = batch->count;
  if (count == 0) return 0;
  batch->shares = shares_of(batch, count);
  sw_workers_run(batch->workers, open_share, batch, batch->shares);
  batch->used = 0;
  batch->count = 0;
  return count;
}
