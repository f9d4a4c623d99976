#include "parent/degradation.h"

static bool loses(const struct sw_facts *facts, const struct sw_report *report,
                  const struct sw_report *before) {
  (void)facts;
  const bool already = before->condition == SW_CONDITION_LOSS;
  const int most = already ? SW_DEGRADATION_LOSS_OVER : SW_DEGRADATION_LOSS;
  return report->loss.probes.percent >= most || report->loss.datagrams.percent >= most;
}

/* Both, if both are lost: the datagrams tell which way, and the probes whether it is only the long ones. */
static void add_loss(struct sw_report *report, const struct sw_facts *facts) {
  const int datagrams = report->loss.datagrams.percent, probes = report->loss.probes.percent;
  if (datagrams >= SW_DEGRADATION_LOSS_OVER)
    sw_sentence_add(
        report->text,
        "%d %% of the peer's datagrams do not arrive (is a line overloaded or faulty, does "
        "a firewall drop long ones, or is this machine too slow? saltway doctor %s)",
        datagrams, facts->config->name);
  if (probes < SW_DEGRADATION_LOSS_OVER) return;
  sw_sentence_add(report->text,
                  "%s%d %% of the probes are lost (is a line overloaded or faulty? compare: ping ",
                  datagrams >= SW_DEGRADATION_LOSS_OVER ? "; " : "", probes);
  sw_sentence_add_ip(report->text, &facts->link->peer);
  sw_sentence_add(report->text, ")");
}

static bool is_on_standby(const struct sw_facts *facts, const struct sw_report *report,
                          const struct sw_report *before) {
  (void)report, (void)before;
  return facts->place > 0;
}

static void add_standby(struct sw_report *report, const struct sw_facts *facts) {
  const struct sw_config_endpoint *preferred = &facts->config->endpoints[0];
  sw_sentence_add(
      report->text,
      "that is a standby: %s port %u, the first Endpoint, is not in use (is its line or its host "
      "down?)",
      preferred->host, preferred->port);
}

static bool has_small_mtu(const struct sw_facts *facts, const struct sw_report *report,
                          const struct sw_report *before) {
  (void)report, (void)before;
  return facts->link->fragments;
}

static void add_small_mtu(struct sw_report *report, const struct sw_facts *facts) {
  if (facts->config->mtu) {
    sw_sentence_add(
        report->text,
        "the path does not carry packets of MTU = %u bytes in one piece: datagrams are fragmented%s, "
        "and the link is slower (write MTU = auto, or a smaller number)",
        facts->config->mtu,
        sw_ip_is_v4(facts->link->peer.ip) ? "" : " if ICMPv6 tells this host so, and else lost");
    return;
  }
  sw_sentence_add(
      report->text,
      "the path carries less than %d bytes of a packet, which IPv6 needs: datagrams are fragmented, "
      "and the link is slower (which hop has a small MTU? tracepath ",
      SW_MTU_LEAST);
  sw_sentence_add_ip(report->text, &facts->link->peer);
  sw_sentence_add(report->text, ")");
}

/* What a link that is up can suffer from, the most telling first, and how long it lasts after it was
 * observed. */
static const struct {
  enum sw_condition condition;
  bool (*holds)(const struct sw_facts *facts, const struct sw_report *report,
                const struct sw_report *before);
  void (*tell)(struct sw_report *report, const struct sw_facts *facts);
  uint64_t memory;
} degradations[] = {
    {SW_CONDITION_STANDBY, is_on_standby, add_standby, 0},
    {SW_CONDITION_SMALL_MTU, has_small_mtu, add_small_mtu, SW_REPORT_MEMORY},
    {SW_CONDITION_LOSS, loses, add_loss, SW_REPORT_MEMORY},
};
enum { DEGRADATIONS = sizeof(degradations) / sizeof(degradations[0]) };

void sw_degradation_add(struct sw_report *report, const struct sw_facts *facts,
                        const struct sw_report *before) {
  for (unsigned i = 0; i < DEGRADATIONS; i++) {
    if (!degradations[i].holds(facts, report, before)) continue;
    const bool first = report->condition == SW_CONDITION_UP;
    if (first) report->condition = degradations[i].condition;
    sw_sentence_add(report->text, first ? ", but " : "; ");
    degradations[i].tell(report, facts);
  }
}

bool sw_degradation_lasts(const struct sw_facts *facts, const struct sw_report *before) {
  for (unsigned i = 0; i < DEGRADATIONS; i++)
    if (before->condition == degradations[i].condition)
      return sw_facts_within(facts, before->observed, degradations[i].memory);
  return false;
}
