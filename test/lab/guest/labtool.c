/*
 * What a lab guest can do to its own memory.
 *
 *   labtool hold MIB   fills MIB mebibytes of anonymous memory, says "holding" and keeps them until it is killed
 *   labtool lock MIB   as hold, with the memory locked (mlock(2))
 *   labtool pin        keeps one page of every hot-plugged memory block out of reach of migration, those plugged later
 *                      too, until it is killed; writes the numbers of the blocks to /tmp/pinned
 *   labtool watch      looks at the clock every millisecond until it is ended (SIGTERM); says then for how many
 *                      milliseconds it did, the longest time for which it couldn't look, and the sum of those of 100 ms
 *                      and more
 *
 * A page in a pipe (vmsplice(2)) has a reference that the kernel's offlining waits for without an end and without
 * telling the hypervisor: the guest is silent, and lets go as soon as the pipe is closed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS "/sys/devices/system/memory"
#define PAGE 4096UL
#define MIB (1024UL * 1024UL)
#define MAX_BLOCKS 65536

static char pinned[MAX_BLOCKS], wanted[MAX_BLOCKS];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int read_text(const char *path, char *text, int size) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  int length = read(fd, text, size - 1);
  close(fd);
  if (length < 0) return -1;
  text[length] = 0;
  return length;
}

static char *fill(size_t size) {
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return memory;
}

static int hold(size_t mib, int locked) {
  char *memory = fill(mib * MIB);
  /* Not all zero, so that nothing can merge or drop the pages. */
  for (size_t offset = 0; offset < mib * MIB; offset += PAGE) memory[offset] = (char)(offset / PAGE) | 1;
  if (locked && mlock(memory, mib * MIB) < 0) fail("mlock");
  puts("holding");
  fflush(stdout);
  for (;;) pause();
}

/* Marks the movable, online blocks that have no page pinned yet and gives their number. */
static int find_wanted(void) {
  int count = 0;
  DIR *directory = opendir(BLOCKS);
  if (directory == NULL) fail(BLOCKS);
  memset(wanted, 0, sizeof wanted);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    int block;
    char path[300], text[64];
    if (sscanf(entry->d_name, "memory%d", &block) != 1 || block >= MAX_BLOCKS || pinned[block]) continue;
    snprintf(path, sizeof path, BLOCKS "/%s/state", entry->d_name);
    if (read_text(path, text, sizeof text) < 0 || strncmp(text, "online", 6) != 0) continue;
    snprintf(path, sizeof path, BLOCKS "/%s/valid_zones", entry->d_name);
    if (read_text(path, text, sizeof text) < 0 || strncmp(text, "Movable", 7) != 0) continue;
    wanted[block] = 1;
    count++;
  }
  closedir(directory);
  return count;
}

static void splice_page(char *page) {
  int ends[2];
  struct iovec vector = {.iov_base = page, .iov_len = PAGE};
  if (pipe(ends) < 0) fail("pipe");
  if (vmsplice(ends[1], &vector, 1, 0) != (ssize_t)PAGE) fail("vmsplice");
}

static void pin_wanted(int count, unsigned long block_size, int pagemap) {
  struct sysinfo info;
  sysinfo(&info);
  size_t free_bytes = (size_t)info.freeram * info.mem_unit;
  size_t size = free_bytes > 96 * MIB ? free_bytes - 64 * MIB : 32 * MIB;
  char *memory = fill(size);
  for (size_t offset = 0; offset < size && count > 0; offset += PAGE) {
    uint64_t entry;
    memory[offset] = 1;
    if (pread(pagemap, &entry, 8, (uintptr_t)(memory + offset) / PAGE * 8) != 8) fail("pagemap");
    /* Bits 0 to 54 are the page frame's number (Documentation/admin-guide/mm/pagemap.rst). */
    unsigned long block = (entry & ((1ULL << 55) - 1)) * PAGE / block_size;
    if (block >= MAX_BLOCKS || !wanted[block]) continue;
    splice_page(memory + offset);
    wanted[block] = 0;
    pinned[block] = 1;
    count--;
  }
  munmap(memory, size);
}

static void write_pinned(void) {
  FILE *file = fopen("/tmp/pinned.new", "w");
  if (file == NULL) fail("/tmp/pinned.new");
  for (int block = 0; block < MAX_BLOCKS; block++)
    if (pinned[block]) fprintf(file, "%d\n", block);
  fclose(file);
  rename("/tmp/pinned.new", "/tmp/pinned");
}

static int pin(void) {
  char text[64];
  if (read_text(BLOCKS "/block_size_bytes", text, sizeof text) < 0) fail("block size");
  unsigned long block_size = strtoul(text, NULL, 16);
  int pagemap = open("/proc/self/pagemap", O_RDONLY);
  if (pagemap < 0) fail("pagemap");
  write_pinned();
  for (;; usleep(100000)) {
    int count = find_wanted();
    if (count == 0) continue;
    pin_wanted(count, block_size, pagemap);
    write_pinned();
  }
}

static volatile sig_atomic_t is_over;

static void end_watch(int signal) {
  (void)signal;
  is_over = 1;
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* A guest that stands still can't look: the longest time between two looks is how long it stood. */
static int watch(void) {
  signal(SIGTERM, end_watch);
  puts("watching");
  fflush(stdout);
  double start = now_ms(), last = start, longest = 0, stood = 0;
  while (!is_over) {
    usleep(1000);
    double now = now_ms();
    if (now - last > longest) longest = now - last;
    if (now - last >= 100) stood += now - last;
    last = now;
  }
  printf("watched %.0f longest %.1f stood %.1f\n", last - start, longest, stood);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "hold") == 0) return hold(strtoul(argv[2], NULL, 10), 0);
  if (argc == 3 && strcmp(argv[1], "lock") == 0) return hold(strtoul(argv[2], NULL, 10), 1);
  if (argc == 2 && strcmp(argv[1], "pin") == 0) return pin();
  if (argc == 2 && strcmp(argv[1], "watch") == 0) return watch();
  fprintf(stderr, "usage: labtool hold MIB | labtool lock MIB | labtool pin | labtool watch\n");
  return 2;
}
