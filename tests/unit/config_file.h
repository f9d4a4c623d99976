/*
 * A configuration file for tests, and a key file in the same temporary directory.  Tests write it,
 * load it and check the complaints about it.  There is one at a time.
 */
#ifndef SALTWAY_TESTS_CONFIG_FILE_H
#define SALTWAY_TESTS_CONFIG_FILE_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* A valid configuration in two parts: lines 1 and 2, and lines 3 to 5. */
#define INTERFACE "[Interface]\nListenPort = 51900\n"
#define PEER "[Peer]\nPresharedKeyFile = site-b.key\nAllowedIPs = 10.2.0.0/16\n"

extern char config_directory[], config_file[PATH_MAX], config_key_file[PATH_MAX];
extern struct sw_config config;    /* the configuration loaded last */
extern struct sw_psks config_psks; /* its key */
extern char complaints[65536];     /* complaints about it, one a line */

/* Setup and teardown of a group of tests: create and remove the directory. */
int config_file_start(void **state);
int config_file_finish(void **state);

/* Setup and teardown of a test: create the key file, and remove both files. */
int config_file_make_key(void **state);
int config_file_remove(void **state);

void write_file(const char *name, const char *bytes, size_t length, mode_t mode);

/* Return the result of sw_config_locate and sw_config_load. */
int locate(const char *name);
int load_file(void);
int load_bytes(const char *bytes, size_t length, mode_t mode);
int load(const char *text);

void assert_good(const char *text);

/* Fails unless there is a complaint about this line (0: about the file) that contains `words`. */
void assert_complaint(unsigned line, const char *words);

/* Fails unless there is one mistake, in this line, and its complaint contains `words`. */
void assert_mistake(const char *text, unsigned line, const char *words);

/* The same for lines added to [Interface] (line 3) or to [Peer] (line 6). */
void assert_interface_mistake(const char *added, const char *words);
void assert_peer_mistake(const char *added, const char *words);

#endif
