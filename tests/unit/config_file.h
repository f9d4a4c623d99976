/*
 * A configuration file for tests: written to a directory of its own with a key file beside it,
 * loaded, and what was said about it looked at.  One at a time.
 */
#ifndef SALTWAY_TESTS_CONFIG_FILE_H
#define SALTWAY_TESTS_CONFIG_FILE_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* Two lines, and three more, that make a good configuration. */
#define INTERFACE "[Interface]\nListenPort = 51900\n"
#define PEER "[Peer]\nPresharedKeyFile = site-b.key\nAllowedIPs = 10.2.0.0/16\n"

extern char config_directory[], config_file[PATH_MAX], config_key_file[PATH_MAX];
extern struct sw_config config;  /* as it was loaded last */
extern struct sw_psk config_psk; /* likewise */
extern char said[65536];         /* all complaints of the last call */

/* For a group of tests: make the directory, remove it. */
int config_file_start(void **state);
int config_file_finish(void **state);

/* For each test: make the key file, remove both. */
int config_file_make_key(void **state);
int config_file_remove(void **state);

void write_file(const char *name, const char *bytes, size_t length, mode_t mode);

/* These return what sw_config_locate and sw_config_load do. */
int locate(const char *name);
int load_file(void);
int load_bytes(const char *bytes, size_t length, mode_t mode);
int load(const char *text);

void assert_good(const char *text);

/* That line `line` (0: the file) is complained about with these words. */
void assert_said(unsigned line, const char *words);

/* That there is one mistake, in this line, told with these words. */
void assert_mistake(const char *text, unsigned line, const char *words);

/* The same for a line put below [Interface], and below [Peer], of a good configuration. */
void assert_interface_mistake(const char *added, const char *words);
void assert_peer_mistake(const char *added, const char *words);

#endif
