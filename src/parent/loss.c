#include "parent/loss.h"

/* How many make a window, and whether it waits until there are so many. */
struct kind {
  uint64_t least;
  bool waits;
};

static void count(struct sw_loss_window *window, const struct kind *kind, uint64_t now,
                  uint64_t sent, uint64_t lost) {
  const uint64_t more = sent - window->sent;
  const bool full = window->start && more >= kind->least;
  if (window->start && (now - window->start < SW_LOSS_WINDOW || (kind->waits && !full))) return;
  const double missing = (double)(int64_t)(lost - window->lost);
  const double share = full ? 100 * missing / (double)more : 0;
  /* the engine may say anything */
  const int percent = share >= -100 && share <= 100 ? (int)share : 0;
  *window = (struct sw_loss_window){now, sent, lost, percent};
}

void sw_loss_count(struct sw_loss *loss, const struct sw_facts *facts) {
  static const struct kind probes = {SW_LOSS_PROBES, true}, datagrams = {SW_LOSS_DATAGRAMS, false};
  const struct sw_link_status *link = facts->link;
  if (link->state != SW_LINK_UP) {
    *loss = (struct sw_loss){.probes = {.start = 0}};
    return;
  }
  count(&loss->probes, &probes, facts->now, link->probes_sent, link->probes_lost);
  count(&loss->datagrams, &datagrams, facts->now, link->datagrams_in + link->datagrams_lost,
        link->datagrams_lost);
}
