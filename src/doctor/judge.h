/*
 * Judging the facts that saltway doctor has gathered, a function for each check (checks.h).  They are
 * pure: the same facts give the same verdict.  A verdict is zero before.
 */
#ifndef SALTWAY_DOCTOR_JUDGE_H
#define SALTWAY_DOCTOR_JUDGE_H

#include "doctor/checks.h"

/* of the machine */
void sw_judge_config(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_key(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_tun(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_privileges(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_interface(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_port(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_buffers(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_offload(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_congestion(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_clock(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);

/* of the way to the peer */
void sw_judge_names(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_route(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_rp_filter(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);

/* of the networks on both sides */
void sw_judge_networks(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_forwarding(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);

/* of the link */
void sw_judge_firewall(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_link(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
void sw_judge_mtu(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);

/** Sets level and text, and the fix. */
void sw_verdict_set(struct sw_verdict *verdict, enum sw_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sw_verdict_fix(struct sw_verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
