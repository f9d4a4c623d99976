/*
 * What the two sides of `saltway test` say to each other, inside the link.
 *
 * A test has stages.  In each of them the client connects and sends a request, which the listener
 * answers with a byte when it is ready.  Then one side sends data, or none does, while the client
 * sends probes from a UDP socket, which the listener returns.  The client shuts its direction down
 * when it has enough, and the listener ends the connection with a result.  All messages have a fixed
 * size.  What arrives is not trusted: a message that parses has only numbers within the bounds that
 * are given here.  Big-endian; nothing here is secret.
 */
#ifndef SALTWAY_CLI_TEST_MESSAGE_H
#define SALTWAY_CLI_TEST_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define SW_TEST_PORT 51909 /* TCP and UDP */

#define SW_TEST_REQUEST 32
#define SW_TEST_PROBE 32
#define SW_TEST_RESULT 64
#define SW_TEST_TOKEN 16

#define SW_TEST_NS UINT64_C(1000000000)
#define SW_TEST_SECONDS_MAX 60
#define SW_TEST_GRACE_S 30    /* a connection ends this long after its data, at the latest */
#define SW_TEST_PROBE_RATE 50 /* a second */
#define SW_TEST_PROBES_MAX (SW_TEST_PROBE_RATE * SW_TEST_SECONDS_MAX)
#define SW_TEST_UNKNOWN UINT32_MAX

/* The field of a stage on the client's side: what it does. */
enum sw_test_kind { SW_TEST_IDLE, SW_TEST_SENDING, SW_TEST_RECEIVING };
#define SW_TEST_KINDS 3

struct sw_test_request {
  enum sw_test_kind kind;
  bool last;                    /* the listener ends after this stage */
  uint16_t seconds;             /* of data: 1 to SW_TEST_SECONDS_MAX */
  uint8_t token[SW_TEST_TOKEN]; /* probes of the stage have the same */
};

struct sw_test_probe {
  bool answer;
  uint32_t sequence; /* below SW_TEST_PROBES_MAX */
  uint8_t token[SW_TEST_TOKEN];
};

/* What one side has measured in a stage. */
struct sw_test_side {
  uint64_t bytes;       /* of data that it received */
  uint64_t time;        /* from the first to the last of them, nanoseconds */
  uint64_t bandwidth;   /* that is set, bits per second; 0: none */
  uint32_t probes;      /* that arrived */
  uint32_t retransmits; /* segments of data that it sent again */
  uint32_t engine;      /* thousandths of a core that its engine used, or SW_TEST_UNKNOWN */
  uint32_t machine;     /* thousandths of all its cores that were busy, or SW_TEST_UNKNOWN */
  uint32_t window; /* thousandths of the time in which its data waited for the receiver's window */
};

void sw_test_request_write(const struct sw_test_request *request, uint8_t bytes[SW_TEST_REQUEST]);
bool sw_test_request_parse(struct sw_test_request *request, const uint8_t bytes[SW_TEST_REQUEST]);

void sw_test_probe_write(const struct sw_test_probe *probe, uint8_t bytes[SW_TEST_PROBE]);
bool sw_test_probe_parse(struct sw_test_probe *probe, const uint8_t bytes[SW_TEST_PROBE]);

void sw_test_side_write(const struct sw_test_side *side, uint8_t bytes[SW_TEST_RESULT]);
bool sw_test_side_parse(struct sw_test_side *side, const uint8_t bytes[SW_TEST_RESULT]);

#endif
