/* Moves the wall clock of a process by CLOCK_SHIFT_S seconds, for tests on other days; the monotonic clock stays.
 *
 * Preloaded by deploy/local/days.py into the tests, PostgreSQL, Redis and RabbitMQ alike, so that now() of all of them
 * agrees. Deadlines on the wall clock that the kernel compares with its own time are moved back. A process that calls
 * follow_shift lives by the seconds that a file has at the moment, so that its clock jumps while it runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* No deadline on the monotonic clock is that large: it counts from the start of the machine. */
#define WALL_CLOCK_MIN 1000000000

static long fixed_s;
static const volatile long *shift_s = &fixed_s;

__attribute__((constructor)) static void read_shift(void) {
    const char *text = getenv("CLOCK_SHIFT_S");
    fixed_s = text ? strtol(text, NULL, 10) : 0;
}

/* The file has one long, the seconds; returns 0, or -1 where it cannot be read. */
int follow_shift(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *shared = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (shared == MAP_FAILED) return -1;
    shift_s = shared;
    return 0;
}

static int is_wall_clock(clockid_t id) {
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI;
}

static struct timespec as_the_kernel_counts(const struct timespec *shifted) {
    struct timespec real = *shifted;
    if (real.tv_sec > WALL_CLOCK_MIN) real.tv_sec -= *shift_s;
    return real;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && is_wall_clock(id)) now->tv_sec += *shift_s;
    return failed ? -1 : 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (result) *result = precise.tv_sec;
    return precise.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    if (base != TIME_UTC) return 0;
    clock_gettime(CLOCK_REALTIME, now);
    return base;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    static int (*next)(sem_t *, const struct timespec *);
    struct timespec real = as_the_kernel_counts(deadline);
    if (!next) next = (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
    return next(semaphore, &real);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline) {
    static int (*next)(pthread_mutex_t *, const struct timespec *);
    struct timespec real = as_the_kernel_counts(deadline);
    if (!next) next = (int (*)(pthread_mutex_t *, const struct timespec *))dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
    return next(mutex, &real);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
    static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec real = as_the_kernel_counts(deadline);
    if (!next)
        next = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(RTLD_NEXT,
                                                                                          "pthread_cond_timedwait");
    return next(cond, mutex, &real);
}
