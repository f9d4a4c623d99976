/*
 * Gathering the facts.  Every function fills its part of the facts, reading what those before it in the
 * table of checks have filled; what cannot be found out stays zero.  None runs a program or changes
 * the machine.  Main thread only; sw_doctor_names, sw_doctor_status and sw_doctor_echo may take seconds.
 */
#ifndef SALTWAY_DOCTOR_GATHER_H
#define SALTWAY_DOCTOR_GATHER_H

#include "doctor/facts.h"

/** Loads the configuration that facts->config.file names. */
void sw_doctor_config(struct sw_doctor_facts *facts);

/** Asks the link; waits for some seconds while it is too early for it to tell anything. */
void sw_doctor_status(struct sw_doctor_facts *facts);

/** The networks of other links: those that run, and the configurations beside this one. */
void sw_doctor_others(struct sw_doctor_facts *facts);

void sw_doctor_tun(struct sw_doctor_facts *facts);
void sw_doctor_privileges(struct sw_doctor_facts *facts);
void sw_doctor_interfaces(struct sw_doctor_facts *facts);
void sw_doctor_port(struct sw_doctor_facts *facts);

/** Looks up the endpoints' names, in the confined process that a link uses, unless a running link has
 * done so. */
void sw_doctor_names(struct sw_doctor_facts *facts);

/** The routes to the endpoints and to AllowedIPs, and rp_filter on them. */
void sw_doctor_routes(struct sw_doctor_facts *facts);

/** Counts what rp_filter drops; waits for a try of the peer's if it may be the reason. */
void sw_doctor_rp_filter(struct sw_doctor_facts *facts);

void sw_doctor_forwarding(struct sw_doctor_facts *facts);
void sw_doctor_firewall(struct sw_doctor_facts *facts);
void sw_doctor_buffers(struct sw_doctor_facts *facts);
void sw_doctor_offload(struct sw_doctor_facts *facts);
void sw_doctor_congestion(struct sw_doctor_facts *facts);
void sw_doctor_clock(struct sw_doctor_facts *facts);

/** Sends echo requests to the peer through the link, if it is up. */
void sw_doctor_echo(struct sw_doctor_facts *facts);

#endif
