/*
 * Tells the thread sanitizer what a contended Mutex of Swift's standard library orders.
 *
 * Such a Mutex is a word that is exchanged atomically. Without contention the exchange is compiled into the caller, where the
 * sanitizer sees it; with contention it happens in the standard library, or the kernel hands the word over (futex(2),
 * FUTEX_LOCK_PI): the sanitizer sees neither, and takes what the Mutex protects for a race. The slow ways are therefore
 * stood in for here, in test bundles built with -sanitize=thread and nowhere else. Their names are part of the standard
 * library's stable interface (Synchronization, _MutexHandle); should one go, the bundle stops at its first contended Mutex.
 */
#include "sanitizer_hints.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define UNSEEN __attribute__((no_sanitize("thread")))
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

void __tsan_acquire(void *address);
void __tsan_release(void *address);

SWIFT void forebay_lock_slow(uint32_t thread, SELF word) __asm__(LOCK);
SWIFT bool forebay_try_slow(SELF word) __asm__(TRY);
SWIFT void forebay_unlock_slow(SELF word) __asm__(UNLOCK);

UNSEEN SWIFT void forebay_lock_slow(uint32_t thread, SELF word) {
    SWIFT void (*next)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK);
    next(thread, word);
    __tsan_acquire(word);
}

UNSEEN SWIFT bool forebay_try_slow(SELF word) {
    SWIFT bool (*next)(SELF) = dlsym(RTLD_NEXT, TRY);
    bool taken = next(word);
    if (taken) {
        __tsan_acquire(word);
    }
    return taken;
}

UNSEEN SWIFT void forebay_unlock_slow(SELF word) {
    SWIFT void (*next)(SELF) = dlsym(RTLD_NEXT, UNLOCK);
    __tsan_release(word);
    next(word);
}

#endif
#endif
