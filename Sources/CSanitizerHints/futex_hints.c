/*
 * Tells the thread sanitizer what a contended Mutex of Swift's standard library orders.
 *
 * Such a Mutex is a priority-inheriting futex (futex(2): FUTEX_LOCK_PI, FUTEX_UNLOCK_PI). Taken without contention it is an
 * atomic exchange, which is compiled into the caller and which the sanitizer sees; with contention the kernel hands it over,
 * which the sanitizer does not see, and it takes what the Mutex protects for a race. The standard library goes to the kernel
 * by syscall(2), which is therefore stood in for here, in test bundles built with -sanitize=thread and nowhere else.
 */
#include "sanitizer_hints.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)

#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

typedef long (*system_call)(long, long, long, long, long, long, long);

__attribute__((no_sanitize("thread"))) long syscall(long number, ...) {
    static system_call next;
    va_list list;
    long a, b, c, d, e, f;
    long result;

    if (!next) {
        next = (system_call)dlsym(RTLD_NEXT, "syscall");
    }
    va_start(list, number);
    a = va_arg(list, long);
    b = va_arg(list, long);
    c = va_arg(list, long);
    d = va_arg(list, long);
    e = va_arg(list, long);
    f = va_arg(list, long);
    va_end(list);

    if (number != SYS_futex) {
        return next(number, a, b, c, d, e, f);
    }
    if ((b & FUTEX_CMD_MASK) == FUTEX_UNLOCK_PI) {
        __tsan_release((void *)a);
    }
    result = next(number, a, b, c, d, e, f);
    switch (b & FUTEX_CMD_MASK) {
    case FUTEX_LOCK_PI:
    case FUTEX_TRYLOCK_PI:
        if (result == 0) {
            __tsan_acquire((void *)a);
        }
    }
    return result;
}

#endif
#endif
