#include "doctor/checks.h"

#include <stdarg.h>
#include <string.h>

#include "doctor/gather.h"
#include "doctor/judge.h"

const struct sw_check sw_checks[] = {
    {"config", NULL, sw_judge_config}, /* read first of all, as is the status of the link */
    {"key", NULL, sw_judge_key},
    {"tun", sw_doctor_tun, sw_judge_tun},
    {"privileges", sw_doctor_privileges, sw_judge_privileges},
    {"interface", sw_doctor_interfaces, sw_judge_interface},
    {"port", sw_doctor_port, sw_judge_port},
    {"names", sw_doctor_names, sw_judge_names},
    {"route", sw_doctor_routes, sw_judge_route},
    {"rp_filter", sw_doctor_rp_filter, sw_judge_rp_filter},
    {"networks", sw_doctor_others, sw_judge_networks},
    {"firewall", sw_doctor_firewall, sw_judge_firewall},
    {"forwarding", sw_doctor_forwarding, sw_judge_forwarding},
    {"buffers", sw_doctor_buffers, sw_judge_buffers},
    {"offload", sw_doctor_offload, sw_judge_offload},
    {"congestion", sw_doctor_congestion, sw_judge_congestion},
    {"clock", sw_doctor_clock, sw_judge_clock},
    {"link", NULL, sw_judge_link},
    {"mtu", sw_doctor_echo, sw_judge_mtu},
};
_Static_assert(sizeof(sw_checks) / sizeof(sw_checks[0]) == SW_CHECKS, "count");

static const char *const levels[] = {"-", "ok", "warn", "FAIL"};

void sw_checks_judge(const struct sw_doctor_facts *facts, struct sw_verdict verdicts[SW_CHECKS]) {
  for (unsigned i = 0; i < SW_CHECKS; i++) {
    verdicts[i] = (struct sw_verdict){.level = SW_LEVEL_SKIPPED};
    sw_checks[i].judge(facts, &verdicts[i]);
  }
}

static unsigned find(const char *name) {
  unsigned i = 0;
  while (i < SW_CHECKS && strcmp(sw_checks[i].name, name) != 0) i++;
  return i;
}

static const struct sw_verdict *most_telling(const struct sw_verdict verdicts[SW_CHECKS]) {
  const struct sw_verdict *most = &verdicts[find("link")];
  for (enum sw_level level = SW_LEVEL_FAIL; level >= SW_LEVEL_WARN; level--)
    for (unsigned i = 0; i < SW_CHECKS; i++)
      if (verdicts[i].level == level) return &verdicts[i];
  return most;
}

static void print_summary(FILE *out, const char *name, const struct sw_verdict *most,
                          const struct sw_verdict verdicts[SW_CHECKS]) {
  fprintf(out, "%s: %s", name, most->level == SW_LEVEL_SKIPPED ? "nothing is wrong" : most->text);
  if (most->fix[0]) fprintf(out, " (%s)", most->fix);
  for (unsigned i = 0; i < SW_CHECKS; i++)
    if (verdicts[i].telling && &verdicts[i] != most) fprintf(out, "; %s", verdicts[i].text);
  fputc('\n', out);
}

enum sw_level sw_checks_print(FILE *out, const char *name,
                              const struct sw_verdict verdicts[SW_CHECKS]) {
  const struct sw_verdict *most = most_telling(verdicts);
  print_summary(out, name, most, verdicts);
  for (unsigned i = 0; i < SW_CHECKS; i++) {
    if (verdicts[i].level == SW_LEVEL_SKIPPED) continue;
    fprintf(out, "  %-4s  %-10s  %s\n", levels[verdicts[i].level], sw_checks[i].name,
            verdicts[i].text);
    if (verdicts[i].fix[0]) fprintf(out, "  %-4s  %-10s  fix: %s\n", "", "", verdicts[i].fix);
  }
  return most->level;
}

void sw_verdict_set(struct sw_verdict *verdict, enum sw_level level, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
  va_end(arguments);
  verdict->level = level;
}

void sw_verdict_fix(struct sw_verdict *verdict, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(verdict->fix, sizeof(verdict->fix), format, arguments);
  va_end(arguments);
}
