#include "packet/queue.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "packet/ecn.h"
#include "packet/gso.h"

#define NONE UINT16_MAX
#define FREED_AT_ONCE 64 /* least blocks when the memory is full, so that the search pays */

/* The beginning of a packet's first block. */
struct waiting {
  uint64_t time; /* when it was added */
  struct sw_offload offload;
  uint32_t length;
  uint32_t header;       /* of a super-packet; else 0 */
  uint32_t at;           /* bytes that were taken behind the header */
  uint32_t cursor_start; /* the bytes in front of those in the cursor */
  uint16_t cursor;       /* the block that holds the next byte */
  uint16_t index;        /* segments that were taken */
  uint16_t next;         /* packet of the flow */
};

enum { FIRST = SW_QUEUE_BLOCK - sizeof(struct waiting) };

_Static_assert((int)FIRST >= (int)SW_HEADERS_MAX, "headers are in the first block");
_Static_assert(SW_QUEUE_BLOCKS < NONE && SW_QUEUE_FLOWS < NONE, "16 bits");
_Static_assert(SW_QUEUE_KEY_BYTES == crypto_shorthash_KEYBYTES, "key");
_Static_assert(SW_QUEUE_BLOCK % 8 == 0, "alignment");

void sw_queue_init(struct sw_queue *queue, uint8_t *memory, const uint8_t key[SW_QUEUE_KEY_BYTES]) {
  memset(queue, 0, sizeof(*queue));
  queue->quantum = SW_QUEUE_QUANTUM;
  queue->memory = memory;
  queue->free = NONE;
  queue->available = SW_QUEUE_BLOCKS;
  queue->new_flows = queue->old_flows = (struct sw_queue_list){NONE, NONE};
  for (unsigned i = 0; i < SW_QUEUE_FLOWS; i++) queue->flows[i].head = NONE;
  memcpy(queue->key, key, SW_QUEUE_KEY_BYTES);
}

/* ---- blocks ---- */

static uint8_t *block_at(const struct sw_queue *queue, uint16_t block) {
  return queue->memory + (size_t)block * SW_QUEUE_BLOCK;
}

static struct waiting *waiting_at(const struct sw_queue *queue, uint16_t block) {
  return (struct waiting *)(void *)block_at(queue, block);
}

static uint16_t block_take(struct sw_queue *queue, struct sw_queue_flow *flow) {
  assert(queue->available > 0);
  queue->available--;
  flow->blocks++;
  if (queue->free == NONE) return queue->untouched++;
  const uint16_t block = queue->free;
  queue->free = queue->chain[block];
  return block;
}

static void block_free(struct sw_queue *queue, struct sw_queue_flow *flow, uint16_t block) {
  queue->chain[block] = queue->free;
  queue->free = block;
  queue->available++;
  flow->blocks--;
}

static size_t blocks_of(size_t length) {
  return length <= FIRST ? 1 : 1 + (length - FIRST + SW_QUEUE_BLOCK - 1) / SW_QUEUE_BLOCK;
}

/* Copies `length` bytes from the cursor's place at `from` on.  Blocks that the cursor has left are
 * free, but for the first, which holds the headers. */
static void read_blocks(struct sw_queue *queue, struct sw_queue_flow *flow, size_t from,
                        size_t length, uint8_t *out) {
  struct waiting *packet = waiting_at(queue, flow->head);
  while (length > 0) {
    const bool first = packet->cursor == flow->head;
    const size_t size = first ? FIRST : SW_QUEUE_BLOCK;
    const size_t skip = from - packet->cursor_start;
    if (skip == size) {
      const uint16_t next = queue->chain[packet->cursor];
      if (!first) block_free(queue, flow, packet->cursor);
      packet->cursor = next;
      packet->cursor_start += (uint32_t)size;
      continue;
    }
    const size_t part = length < size - skip ? length : size - skip;
    memcpy(out, block_at(queue, packet->cursor) + SW_QUEUE_BLOCK - size + skip, part);
    out += part;
    from += part;
    length -= part;
  }
}

static uint16_t write_blocks(struct sw_queue *queue, struct sw_queue_flow *flow,
                             const uint8_t *bytes, size_t length) {
  const uint16_t first = block_take(queue, flow);
  uint16_t block = first;
  size_t part = length < FIRST ? length : FIRST;
  memcpy(block_at(queue, first) + sizeof(struct waiting), bytes, part);
  for (size_t at = part; at < length; at += part) {
    const uint16_t next = block_take(queue, flow);
    queue->chain[block] = next;
    block = next;
    part = length - at < SW_QUEUE_BLOCK ? length - at : SW_QUEUE_BLOCK;
    memcpy(block_at(queue, block), bytes + at, part);
  }
  queue->chain[block] = NONE;
  return first;
}

/* ---- lists of flows ---- */

static void list_push(struct sw_queue *queue, struct sw_queue_list *list, uint16_t flow) {
  queue->flows[flow].next = NONE;
  if (list->first == NONE)
    list->first = flow;
  else
    queue->flows[list->last].next = flow;
  list->last = flow;
}

/* ---- packets of a flow ---- */

static void count_bytes(struct sw_queue *queue, struct sw_queue_flow *flow, size_t length) {
  flow->bytes -= (uint32_t)length;
  queue->bytes -= length;
}

/* Removes what is left of the flow's first packet. */
static void remove_head(struct sw_queue *queue, struct sw_queue_flow *flow) {
  const uint16_t head = flow->head;
  const struct waiting *packet = waiting_at(queue, head);
  count_bytes(queue, flow, packet->length - packet->at);
  flow->head = packet->next;
  for (uint16_t block = packet->cursor; block != NONE;) {
    const uint16_t next = queue->chain[block];
    if (block != head) block_free(queue, flow, block);
    block = next;
  }
  block_free(queue, flow, head);
}

static size_t payload_left(const struct waiting *packet) {
  return packet->length - packet->header - packet->at;
}

/* Single packets are their own payload. */
static size_t segment_of(const struct waiting *packet) {
  return packet->header ? packet->offload.size : packet->length;
}

static size_t segments_in(const struct waiting *packet, size_t payload) {
  const size_t segment = segment_of(packet);
  return (payload + segment - 1) / segment;
}

/* Moves on behind `payload` bytes of the flow's first packet, whose blocks were read. */
static void move_on(struct sw_queue *queue, struct sw_queue_flow *flow, size_t payload) {
  struct waiting *packet = waiting_at(queue, flow->head);
  packet->index = (uint16_t)(packet->index + segments_in(packet, payload));
  packet->at += (uint32_t)payload;
  count_bytes(queue, flow, payload);
  if (payload_left(packet) == 0) remove_head(queue, flow);
}

/* ---- adding ---- */

/* Fragments have no ports, but for the first. */
static uint16_t flow_of(const struct sw_queue *queue, const uint8_t *packet,
                        const struct sw_view *view) {
  uint8_t tuple[2 * 16 + 4 + 1] = {view->protocol};
  const size_t addresses = view->v4 ? 8 : 32;
  memcpy(tuple + 1, packet + (view->v4 ? 12 : 8), addresses);
  if (sw_view_may_be_partial(view)) memcpy(tuple + 1 + addresses, packet + view->transport, 4);
  uint8_t hash[crypto_shorthash_BYTES];
  crypto_shorthash(hash, tuple, 1 + addresses + 4, queue->key);
  return sw_get16(hash) % SW_QUEUE_FLOWS;
}

static void find_fattest(struct sw_queue *queue, uint16_t flow, uint16_t *fattest) {
  for (; flow != NONE; flow = queue->flows[flow].next)
    if (*fattest == NONE || queue->flows[flow].blocks > queue->flows[*fattest].blocks)
      *fattest = flow;
}

static void make_room(struct sw_queue *queue, size_t blocks) {
  if (queue->available >= blocks) return;
  const size_t wanted = blocks > FREED_AT_ONCE ? blocks : FREED_AT_ONCE;
  while (queue->available < wanted) {
    uint16_t fattest = NONE;
    find_fattest(queue, queue->new_flows.first, &fattest);
    find_fattest(queue, queue->old_flows.first, &fattest);
    struct sw_queue_flow *flow = &queue->flows[fattest];
    do {
      const struct waiting *packet = waiting_at(queue, flow->head);
      queue->dropped += segments_in(packet, payload_left(packet));
      remove_head(queue, flow);
    } while (flow->head != NONE && queue->available < wanted);
  }
}

static void append(struct sw_queue *queue, uint16_t index, uint16_t packet) {
  struct sw_queue_flow *flow = &queue->flows[index];
  if (flow->head == NONE)
    flow->head = packet;
  else
    waiting_at(queue, flow->tail)->next = packet;
  flow->tail = packet;
  if (flow->listed) return;
  flow->listed = true;
  flow->deficit = (int32_t)queue->quantum;
  list_push(queue, &queue->new_flows, index);
}

int sw_queue_add(struct sw_queue *queue, uint64_t now, const uint8_t *packet, size_t length,
                 const struct sw_offload *offload) {
  struct sw_gso gso = {.header = 0};
  const bool several = offload->gso != SW_GSO_NONE;
  if (length > SW_GSO_PACKET_MAX || !sw_view_parse(&gso.view, packet, length)) return -EINVAL;
  /* of a super-packet it reads the headers only; of a single packet it would complete the checksum */
  if (several && sw_gso_start(&gso, (uint8_t *)packet, length, offload) != 0) return -EINVAL;
  make_room(queue, blocks_of(length));
  const uint16_t index = flow_of(queue, packet, &gso.view);
  struct sw_queue_flow *flow = &queue->flows[index];
  const uint16_t first = write_blocks(queue, flow, packet, length);
  *waiting_at(queue, first) = (struct waiting){.time = now,
                                               .offload = *offload,
                                               .length = (uint32_t)length,
                                               .header = (uint32_t)gso.header,
                                               .cursor = first,
                                               .next = NONE};
  flow->bytes += (uint32_t)length;
  queue->bytes += length;
  append(queue, index, first);
  return 0;
}

/* ---- taking ---- */

/* The payload of the next part: as many segments as fit, but one at least. */
static size_t part_of(const struct waiting *packet, size_t most) {
  const size_t left = payload_left(packet), segment = segment_of(packet);
  const size_t fit = most / (packet->header + segment);
  const size_t payload = (fit > 0 ? fit : 1) * segment;
  return payload < left ? payload : left;
}

/* Copies the next `payload` bytes of the flow's first packet, with headers.  Returns the length. */
static size_t copy_part(struct sw_queue *queue, struct sw_queue_flow *flow, size_t payload,
                        uint8_t *out, struct sw_offload *offload) {
  const struct waiting *packet = waiting_at(queue, flow->head);
  *offload = packet->offload;
  read_blocks(queue, flow, packet->header + packet->at, payload, out + packet->header);
  if (!packet->header) return payload;
  struct sw_gso gso;
  const int failed =
      sw_gso_start(&gso, block_at(queue, flow->head) + sizeof(*packet), packet->length, offload);
  assert(!failed);
  gso.at = packet->at;
  gso.index = packet->index;
  sw_gso_headers(&gso, out, payload);
  return packet->header + payload;
}

/* Marks a packet, or all segments of a super-packet.  Returns false if its transport does not
 * understand marks. */
static bool mark(uint8_t *packet, size_t length) {
  struct sw_view view;
  const bool parsed = sw_view_parse(&view, packet, length);
  assert(parsed);
  return sw_ecn_combine(packet, &view, SW_ECN_CE);
}

/* Takes a part of the flow's first packet.  Returns 0 if it was dropped. */
static size_t take_part(struct sw_queue *queue, struct sw_queue_flow *flow, uint64_t now,
                        size_t most, uint8_t *out, struct sw_offload *offload) {
  const struct waiting *packet = waiting_at(queue, flow->head);
  const size_t single = part_of(packet, 0); /* packets may be longer than the quantum */
  const bool few = flow->bytes - single <= (single > SW_QUEUE_QUANTUM ? single : SW_QUEUE_QUANTUM);
  const bool excess = sw_codel_drop(&flow->codel, now, now - packet->time, few);
  const size_t payload = part_of(packet, excess ? 0 : most);
  const size_t segments = segments_in(packet, payload), header = packet->header;
  const size_t length = copy_part(queue, flow, payload, out, offload);
  move_on(queue, flow, payload);
  if (excess && !mark(out, length)) {
    queue->dropped++;
    return 0;
  }
  queue->marked += excess;
  flow->deficit -= (int32_t)(segments * header + payload);
  return length;
}

/* Ends the turn of the first flow in `list`. */
static void end_turn(struct sw_queue *queue, struct sw_queue_list *list) {
  const uint16_t index = list->first;
  struct sw_queue_flow *flow = &queue->flows[index];
  const bool is_new = list == &queue->new_flows;
  list->first = flow->next;
  if (flow->deficit <= 0) {
    flow->deficit += (int32_t)queue->quantum;
    list_push(queue, &queue->old_flows, index);
    return;
  }
  sw_codel_empty(&flow->codel);
  /* it does not go first again before the others had their turn */
  if (is_new && queue->old_flows.first != NONE)
    list_push(queue, &queue->old_flows, index);
  else
    flow->listed = false;
}

size_t sw_queue_take(struct sw_queue *queue, uint64_t now, size_t most, uint8_t *packet,
                     struct sw_offload *offload) {
  for (;;) {
    struct sw_queue_list *list =
        queue->new_flows.first != NONE ? &queue->new_flows : &queue->old_flows;
    if (list->first == NONE) return 0;
    struct sw_queue_flow *flow = &queue->flows[list->first];
    if (flow->deficit <= 0 || flow->head == NONE) {
      end_turn(queue, list);
      continue;
    }
    const size_t part = most < queue->quantum ? most : queue->quantum;
    const size_t length = take_part(queue, flow, now, part, packet, offload);
    if (length > 0) return length;
  }
}
