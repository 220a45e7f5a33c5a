/* A clock that a test sets: preloaded into a real server, it answers with the microseconds since
 * the epoch that stand in the file named by BOOTRACE_CLOCK, eight bytes in the order of the machine.
 * Clocks that only measure lengths of time are left alone. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *now;

static int64_t microseconds(void) {
    if (now == NULL) {
        const char *path = getenv("BOOTRACE_CLOCK");
        int file = path == NULL ? -1 : open(path, O_RDONLY);
        void *map = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, file, 0);
        if (map == MAP_FAILED) abort();
        close(file);
        now = map;
    }
    return *now;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    (void)tz;
    int64_t us = microseconds();
    tv->tv_sec = us / 1000000;
    tv->tv_usec = us % 1000000;
    return 0;
}

time_t time(time_t *out) {
    time_t seconds = microseconds() / 1000000;
    if (out != NULL) *out = seconds;
    return seconds;
}
