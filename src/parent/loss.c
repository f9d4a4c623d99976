#include "parent/loss.h"

static void count(struct sw_loss_window *window, uint64_t now, uint64_t least, uint64_t sent,
                  uint64_t lost) {
  const uint64_t more = sent - window->sent;
  if (window->start && (more < least || now - window->start < SW_LOSS_WINDOW)) return;
  const int64_t missing = (int64_t)(lost - window->lost);
  const int percent = window->start ? (int)(100 * missing / (int64_t)more) : 0;
  *window = (struct sw_loss_window){now, sent, lost, percent};
}

void sw_loss_count(struct sw_loss *loss, const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  if (link->state != SW_LINK_UP) {
    *loss = (struct sw_loss){.probes = {.start = 0}};
    return;
  }
  count(&loss->probes, facts->now, SW_LOSS_PROBES, link->probes_sent, link->probes_lost);
  count(&loss->datagrams, facts->now, SW_LOSS_DATAGRAMS, link->datagrams_in + link->datagrams_lost,
        link->datagrams_lost);
}
