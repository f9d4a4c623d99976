#include "convert/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/stack.h"
#include "base/write.h"
#include "convert/writer.h"

static const char *const sides[] = {"a", "b"};
#define FILE_NAME 24 /* bytes of "NAME.conf", for IFNAMSIZ */
enum { SIDES = sizeof(sides) / sizeof(sides[0]) };

/* ---- one file ---- */

static int make_file(int directory, const char *name, const char *bytes, size_t size) {
  const int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  int failed = sw_write(fd, bytes, size);
  if (!failed && fsync(fd) != 0) failed = -errno;
  if (close(fd) != 0 && !failed) failed = -errno;
  return failed;
}

static int make_config(int directory, const char *name, const struct sw_config *config,
                       const char *comment) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return -errno;
  sw_config_write(out, config, comment);
  const int failed = fclose(out) != 0 ? -errno : make_file(directory, name, text, size);
  free(text);
  return failed;
}

/* ---- the directory ---- */

static void names_of(const char *link, char config[FILE_NAME], char key[FILE_NAME]) {
  snprintf(config, FILE_NAME, "%.15s.conf", link);
  snprintf(key, FILE_NAME, "%.15s.key", link);
}

/* `key` is the text of the key with a line feed. */
static int make_side(int root, const char *side, const struct sw_config *config,
                     const char *comment, const char key[SW_PSK_TEXT]) {
  char config_name[FILE_NAME], key_name[FILE_NAME];
  names_of(config->name, config_name, key_name);
  if (mkdirat(root, side, 0700) != 0) return -errno;
  const int directory = openat(root, side, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -errno;
  int failed = make_file(directory, key_name, key, SW_PSK_TEXT);
  if (!failed) failed = make_config(directory, config_name, config, comment);
  close(directory);
  return failed;
}

static int make_sides(const char *path, const struct sw_ends *ends, const char *comment,
                      char fingerprint[SW_FINGERPRINT_TEXT]) {
  struct sw_psk psk;
  char key[SW_PSK_TEXT];
  const int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return -errno;
  sw_psk_generate(&psk);
  sw_psk_encode(&psk, key);
  sw_psk_fingerprint(&psk, fingerprint);
  sodium_memzero(&psk, sizeof(psk));
  key[SW_PSK_TEXT - 1] = '\n';
  int failed = make_side(root, sides[0], &ends->ours, comment, key);
  if (!failed) failed = make_side(root, sides[1], &ends->theirs, comment, key);
  sodium_memzero(key, sizeof(key));
  sw_stack_wipe();
  close(root);
  return failed;
}

static void remove_all(const char *path, const char *link) {
  char names[2][FILE_NAME], file[PATH_MAX];
  names_of(link, names[0], names[1]);
  for (int side = 0; side < SIDES; side++) {
    for (int i = 0; i < 2; i++) {
      snprintf(file, sizeof(file), "%s/%s/%s", path, sides[side], names[i]);
      unlink(file);
    }
    snprintf(file, sizeof(file), "%s/%s", path, sides[side]);
    rmdir(file);
  }
  rmdir(path);
}

/* What cannot be loaded is not handed out. */
static int check(const char *path, const char *link, FILE *complaints) {
  struct sw_config *config = calloc(1, sizeof(*config));
  struct sw_psks psks;
  int failed = config ? 0 : -ENOMEM;
  for (int side = 0; side < SIDES && !failed; side++) {
    char file[PATH_MAX];
    snprintf(file, sizeof(file), "%s/%s/%.15s.conf", path, sides[side], link);
    failed = sw_config_locate(file, config, complaints);
    if (!failed) failed = sw_config_load(config, &psks, complaints);
    if (failed > 0) failed = -EINVAL;
    sodium_memzero(&psks, sizeof(psks));
    sw_config_free(config);
  }
  free(config);
  return failed;
}

int sw_directory_make(const char *directory, const struct sw_ends *ends, const char *comment,
                      char fingerprint[SW_FINGERPRINT_TEXT], FILE *complaints,
                      struct sw_error *error) {
  const char *link = ends->ours.name;
  char path[PATH_MAX - 64];
  size_t length = strlen(directory);
  while (length > 1 && directory[length - 1] == '/') length--;
  if (length == 0 || length + sizeof(".XXXXXX") > sizeof(path))
    return sw_error_set(error, ENAMETOOLONG, NULL, "cannot make %.64s", directory);
  snprintf(path, sizeof(path), "%.*s.XXXXXX", (int)length, directory);
  if (!mkdtemp(path)) return sw_error_set(error, errno, NULL, "cannot make %s", path);
  int failed = make_sides(path, ends, comment, fingerprint);
  if (failed)
    sw_error_set(error, -failed, NULL, "cannot write to %s", directory);
  else if ((failed = check(path, link, complaints)) != 0)
    sw_error_set(error, 0, NULL, "nothing is written, as saltway check would refuse it");
  else if (rename(path, directory) != 0)
    failed = sw_error_set(error, errno, "nothing is overwritten; choose another directory with -o",
                          "cannot make %s", directory);
  if (failed) remove_all(path, link);
  return failed;
}

/* ---- the next steps ---- */

/* Writes a file's name as one word for the shell. */
static void write_word(FILE *out, const char *word) {
  static const char plain[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=+.-/";
  if (word[0] != '-' && word[strspn(word, plain)] == '\0') {
    fputs(word, out);
    return;
  }
  fputs(word[0] == '-' ? "./'" : "'", out);
  for (; *word; word++) fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
  fputc('\'', out);
}

static void write_files(FILE *out, const char *directory, const char *side, const char *name) {
  write_word(out, directory);
  fprintf(out, "/%s/%s.conf ", side, name);
  write_word(out, directory);
  fprintf(out, "/%s/%s.key ", side, name);
}

void sw_directory_steps(FILE *out, const char *directory, const char *name, const char *host) {
  const bool v6 = host && strchr(host, ':');
  fputs("\non this machine, as root:\n\n  install -d -m 0700 /etc/saltway\n  install -m 0600 ",
        out);
  write_files(out, directory, "a", name);
  fprintf(out, "/etc/saltway/\n  systemctl enable --now saltway@%s\n", name);
  if (host) {
    fprintf(out,
            "\nfrom here to the other machine:\n\n"
            "  ssh root@%s install -d -m 0700 /etc/saltway\n  scp -p ",
            host);
    write_files(out, directory, "b", name);
    fprintf(out, v6 ? "'root@[%s]:/etc/saltway/'\n" : "root@%s:/etc/saltway/\n", host);
    fprintf(out, "  ssh root@%s systemctl enable --now saltway@%s\n", host, name);
  } else {
    fputs(
        "\nBring these two files to /etc/saltway of the other machine, with mode 0600, and start it "
        "there:\n\n  ",
        out);
    write_files(out, directory, "b", name);
    fprintf(out, "\n  systemctl enable --now saltway@%s\n", name);
  }
  fprintf(out,
          "\nthen, on either side:\n\n  saltway status %s\n\nand as the key is in it:\n\n  rm -r ",
          name);
  write_word(out, directory);
  fputc('\n', out);
}
