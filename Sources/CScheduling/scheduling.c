// For the sets of processors.
#define _GNU_SOURCE

#include "scheduling.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// The first form of the kernel's struct sched_attr, which every kernel since 3.14 takes.
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

static int set_slice(uint64_t nanoseconds, int nice) {
    // Policy 0 is SCHED_OTHER.
    struct attributes attributes = {.size = sizeof attributes, .nice = nice, .runtime = nanoseconds};
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 ? 0 : errno;
}

int forebay_set_slice(uint64_t nanoseconds, int lift) {
    // 0 is the calling thread, the process's number its first thread. A nice value may be -1, so errno alone tells of a failure.
    errno = 0;
    int own = getpriority(PRIO_PROCESS, 0);
    int of_the_process = getpriority(PRIO_PROCESS, (id_t)getpid());
    if (errno != 0) return errno;
    int wanted = of_the_process - lift < -20 ? -20 : of_the_process - lift;
    int code = set_slice(nanoseconds, wanted);
    return code == EPERM || code == EACCES ? set_slice(nanoseconds, own) : code;
}

uint64_t forebay_get_slice(void) {
    struct attributes attributes = {.size = sizeof attributes};
    return syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0 ? attributes.runtime : 0;
}

int forebay_get_nice(void) { return getpriority(PRIO_PROCESS, 0); }

int forebay_keep_processor(unsigned place) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return errno;
    unsigned count = CPU_COUNT(&allowed);
    if (count == 0) return EINVAL;
    // The bits are looked through upwards.
    unsigned skipped = count - 1 - place % count;
    for (int processor = 0; processor < CPU_SETSIZE; processor++) {
        if (!CPU_ISSET(processor, &allowed)) continue;
        if (skipped > 0) {
            skipped--;
            continue;
        }
        cpu_set_t kept;
        CPU_ZERO(&kept);
        CPU_SET(processor, &kept);
        return sched_setaffinity(0, sizeof kept, &kept) == 0 ? 0 : errno;
    }
    return EINVAL;
}
