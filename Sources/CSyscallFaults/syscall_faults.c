#define _GNU_SOURCE
#include "fault_page.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

// On 64-bit systems the names with 64 are the same functions; a program may use either.
_Static_assert(sizeof(off_t) == 8, "off_t has 64 bits");

static struct fault_page *page;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv(FAULT_PAGE_VARIABLE);
    if (path) page = fault_page_map(path, false);
    if (path && !page) {
        // A drill that believed it had struck would be worse than none.
        static const char text[] = "syscall faults: the page can't be mapped\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(70);
    }
}

// The address is looked up at the first use: other libraries' constructors may run before ours.
#define LOOK_UP(name)                                                                     \
    static __typeof__(&name) real_##name;                                                 \
    if (!real_##name) real_##name = (__typeof__(&name))dlsym(RTLD_NEXT, #name);

/// A call under way.
struct passage {
    struct fault_call *call;
    bool fails, dies_after, dies_within;
};

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/// The part of `path` below the root; NULL if it lies elsewhere.
static const char *below(const char *path) {
    size_t length = strlen(page->root);
    if (length == 0 || strncmp(path, page->root, length) != 0) return NULL;
    if (path[length] == 0) return ".";
    return path[length] == '/' ? path + length + 1 : NULL;
}

/// Spreads numbers that follow one another over all numbers (the finish of MurmurHash3, by Appleby).
static uint64_t scramble(uint64_t number) {
    number = (number ^ (number >> 33)) * 0xFF51AFD7ED558CCDu;
    number = (number ^ (number >> 33)) * 0xC4CEB9FE1A85EC53u;
    return number ^ (number >> 33);
}

/// Notes that a call begins, and does what is to be done before it. `path` is below the root.
static struct passage begin(const char *name, uint32_t kind, const char *path, uint64_t offset, uint64_t length) {
    struct passage passage = {0};
    char thread[FAULT_PAGE_NAME] = {0};
    prctl(PR_GET_NAME, thread);
    bool is_counted = (kind & page->kinds) != 0 && (page->thread[0] == 0 || strncmp(page->thread, thread, strlen(page->thread)) == 0);
    uint64_t index = __atomic_fetch_add(&page->noted, 1, __ATOMIC_SEQ_CST);
    static struct fault_call overflow;
    struct fault_call *call = index < FAULT_PAGE_CALLS ? &page->calls[index] : &overflow;
    call->kind = kind;
    call->offset = offset;
    call->length = length;
    strncpy(call->name, name, sizeof call->name - 1);
    memcpy(call->thread, thread, sizeof thread);
    strncpy(call->path, path, sizeof call->path - 1);
    // Beside the note, since calls beyond the page's room share one.
    uint64_t number = is_counted ? __atomic_add_fetch(&page->counted, 1, __ATOMIC_SEQ_CST) : 0;
    call->number = number;
    call->begun = __atomic_add_fetch(&page->clock, 1, __ATOMIC_SEQ_CST);
    passage.call = call;
    uint64_t action = __atomic_load_n(&page->action, __ATOMIC_SEQ_CST);
    if (!is_counted || action == FAULT_NOTHING) return passage;
    if (action == FAULT_FAIL_SOME) {
        if (scramble(number) % page->target != 0) return passage;
    } else {
        if (number < page->target || (number > page->target && action != FAULT_FAIL_FROM)) return passage;
        if (number == page->target) __atomic_store_n(&page->struck, number, __ATOMIC_SEQ_CST);
    }
    switch (action) {
    case FAULT_KILL_BEFORE: die(); break;
    case FAULT_KILL_AFTER: passage.dies_after = true; break;
    case FAULT_KILL_WITHIN: passage.dies_within = true; break;
    default:
        passage.fails = true;
        __atomic_add_fetch(&page->failed, 1, __ATOMIC_SEQ_CST);
        call->error = (uint32_t)page->argument;
        call->result = -1;
        call->ended = __atomic_add_fetch(&page->clock, 1, __ATOMIC_SEQ_CST);
        errno = (int)page->argument;
    }
    return passage;
}

/// Notes how a call ended, and does what is to be done after it. Leaves errno as it is.
static void end(struct passage passage, int64_t result) {
    int code = errno;
    if (!passage.call) return;
    passage.call->result = result;
    passage.call->error = result < 0 ? (uint32_t)code : 0;
    passage.call->ended = __atomic_add_fetch(&page->clock, 1, __ATOMIC_SEQ_CST);
    if (passage.dies_after || passage.dies_within) die();
    errno = code;
}

static bool is_armed(void) { return page && __atomic_load_n(&page->armed, __ATOMIC_RELAXED); }

static struct passage begin_path(const char *name, uint32_t kind, const char *path) {
    const char *inner = is_armed() ? below(path) : NULL;
    return inner ? begin(name, kind, inner, 0, 0) : (struct passage){0};
}

/// The name that a descriptor's file has now, or had last; false if it has none.
static bool name_of(int descriptor, char *path, size_t size) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return false;
    path[length] = 0;
    return true;
}

static struct passage begin_file(const char *name, uint32_t kind, int descriptor, uint64_t offset, uint64_t length) {
    if (!is_armed()) return (struct passage){0};
    int code = errno;
    char path[512];
    const char *inner = name_of(descriptor, path, sizeof path) ? below(path) : NULL;
    errno = code;
    return inner ? begin(name, kind, inner, offset, length) : (struct passage){0};
}

/// A call that may send on a socket or write to a file.
static struct passage begin_output(const char *name, int descriptor, uint64_t length) {
    if (!is_armed()) return (struct passage){0};
    int code = errno;
    char path[512];
    struct passage passage = {0};
    if (name_of(descriptor, path, sizeof path)) {
        const char *inner = below(path);
        if (inner) {
            passage = begin(name, FAULT_CHANGE | FAULT_PARTIAL | FAULT_SPACE, inner, 0, length);
        } else if (strncmp(path, "socket:", 7) == 0) {
            passage = begin(name, FAULT_ANSWER, path, 0, length);
        }
    }
    if (!passage.fails) errno = code;
    return passage;
}

static size_t part(size_t length) { return length * page->argument / 8; }

// Opening

static uint32_t kind_of_open(int flags) {
    return (flags & (O_CREAT | O_TRUNC)) ? FAULT_CHANGE | FAULT_SPACE : FAULT_LOOK;
}

static int mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, int) : 0;
}

#define OPEN(function)                                                                    \
    int function(const char *path, int flags, ...) {                                      \
        LOOK_UP(function)                                                                 \
        va_list arguments;                                                                \
        va_start(arguments, flags);                                                       \
        int mode = mode_of(flags, arguments);                                             \
        va_end(arguments);                                                                \
        struct passage passage = begin_path("open", kind_of_open(flags), path);           \
        if (passage.fails) return -1;                                                     \
        int result = real_##function(path, flags, mode);                                  \
        end(passage, result);                                                             \
        return result;                                                                    \
    }
OPEN(open)
OPEN(open64)

// The queue names its files by absolute paths; a path below another directory's descriptor is not looked into.
#define OPENAT(function)                                                                  \
    int function(int directory, const char *path, int flags, ...) {                       \
        LOOK_UP(function)                                                                 \
        va_list arguments;                                                                \
        va_start(arguments, flags);                                                       \
        int mode = mode_of(flags, arguments);                                             \
        va_end(arguments);                                                                \
        struct passage passage = begin_path("open", kind_of_open(flags), path);           \
        if (passage.fails) return -1;                                                     \
        int result = real_##function(directory, path, flags, mode);                       \
        end(passage, result);                                                             \
        return result;                                                                    \
    }
OPENAT(openat)
OPENAT(openat64)

DIR *opendir(const char *path) {
    LOOK_UP(opendir)
    struct passage passage = begin_path("opendir", FAULT_LOOK, path);
    if (passage.fails) return NULL;
    DIR *result = real_opendir(path);
    end(passage, result ? 0 : -1);
    return result;
}

int close(int descriptor) {
    LOOK_UP(close)
    struct passage passage = begin_file("close", FAULT_INERT, descriptor, 0, 0);
    if (passage.fails) return -1;
    int result = real_close(descriptor);
    end(passage, result);
    return result;
}

// Names

#define ON_PATH(function, kind, declaration, ...)                                         \
    int function declaration {                                                            \
        LOOK_UP(function)                                                                 \
        struct passage passage = begin_path(#function, kind, path);                       \
        if (passage.fails) return -1;                                                     \
        int result = real_##function(__VA_ARGS__);                                        \
        end(passage, result);                                                             \
        return result;                                                                    \
    }
/// Where something of that name stands, the kernel says so before it asks for space: the call only looks.
static uint32_t kind_of_mkdir(const char *path) {
    int code = errno;
    uint32_t kind = access(path, F_OK) == 0 ? FAULT_LOOK : FAULT_CHANGE | FAULT_SPACE;
    errno = code;
    return kind;
}

ON_PATH(mkdir, kind_of_mkdir(path), (const char *path, mode_t mode), path, mode)
ON_PATH(remove, FAULT_CHANGE, (const char *path), path)
ON_PATH(unlink, FAULT_CHANGE, (const char *path), path)
ON_PATH(rmdir, FAULT_CHANGE, (const char *path), path)
ON_PATH(statvfs, FAULT_LOOK, (const char *path, struct statvfs *status), path, status)
ON_PATH(statvfs64, FAULT_LOOK, (const char *path, struct statvfs64 *status), path, status)

int rename(const char *path, const char *new_path) {
    LOOK_UP(rename)
    struct passage passage = begin_path("rename", FAULT_CHANGE | FAULT_SPACE, path);
    const char *inner = passage.call ? below(new_path) : NULL;
    if (inner) strncpy(passage.call->new_path, inner, sizeof passage.call->new_path - 1);
    if (passage.fails) return -1;
    int result = real_rename(path, new_path);
    end(passage, result);
    return result;
}

// Content

#define ON_FILE(function, name, kind, offset, length, declaration, ...)                   \
    int function declaration {                                                            \
        LOOK_UP(function)                                                                 \
        struct passage passage = begin_file(name, kind, descriptor, offset, length);      \
        if (passage.fails) return -1;                                                     \
        int result = real_##function(__VA_ARGS__);                                        \
        end(passage, result);                                                             \
        return result;                                                                    \
    }
ON_FILE(fdatasync, "fdatasync", FAULT_CHANGE | FAULT_SPACE | FAULT_SYNC, 0, 0, (int descriptor), descriptor)
ON_FILE(fsync, "fsync", FAULT_CHANGE | FAULT_SYNC, 0, 0, (int descriptor), descriptor)
ON_FILE(ftruncate, "ftruncate", FAULT_CHANGE, 0, (uint64_t)size, (int descriptor, off_t size), descriptor, size)
ON_FILE(ftruncate64, "ftruncate", FAULT_CHANGE, 0, (uint64_t)size, (int descriptor, off64_t size), descriptor, size)
ON_FILE(fstat, "fstat", FAULT_LOOK, 0, 0, (int descriptor, struct stat *status), descriptor, status)
ON_FILE(fstat64, "fstat", FAULT_LOOK, 0, 0, (int descriptor, struct stat64 *status), descriptor, status)
ON_FILE(flock, "flock", FAULT_INERT, 0, 0, (int descriptor, int operation), descriptor, operation)

// These two return their error instead of setting errno; there is one way to do part of an allocation.
#define ALLOCATE(function)                                                                \
    int function(int descriptor, off64_t offset, off64_t size) {                          \
        LOOK_UP(function)                                                                 \
        struct passage passage = begin_file(                                              \
            "posix_fallocate", FAULT_CHANGE | FAULT_PARTIAL | FAULT_SPACE, descriptor, (uint64_t)offset, (uint64_t)size); \
        if (passage.fails) return (int)page->argument;                                       \
        if (passage.dies_within) size = (off64_t)part((size_t)size);                      \
        int result = size > 0 ? real_##function(descriptor, offset, size) : 0;            \
        if (passage.call) errno = result;                                                 \
        end(passage, result == 0 ? 0 : -1);                                               \
        return result;                                                                    \
    }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)

#define ADVISE(function)                                                                  \
    int function(int descriptor, off64_t offset, off64_t size, int advice) {              \
        LOOK_UP(function)                                                                 \
        struct passage passage = begin_file("posix_fadvise", FAULT_INERT, descriptor, 0, 0); \
        if (passage.fails) return (int)page->argument;                                       \
        int result = real_##function(descriptor, offset, size, advice);                   \
        end(passage, result == 0 ? 0 : -1);                                               \
        return result;                                                                    \
    }
ADVISE(posix_fadvise)
ADVISE(posix_fadvise64)

#define READ_AT(function)                                                                 \
    ssize_t function(int descriptor, void *bytes, size_t count, off64_t offset) {         \
        LOOK_UP(function)                                                                 \
        struct passage passage = begin_file("pread", FAULT_LOOK, descriptor, (uint64_t)offset, count); \
        if (passage.fails) return -1;                                                     \
        ssize_t result = real_##function(descriptor, bytes, count, offset);               \
        end(passage, result);                                                             \
        return result;                                                                    \
    }
READ_AT(pread)
READ_AT(pread64)

#define WRITE_AT(function)                                                                \
    ssize_t function(int descriptor, const void *bytes, size_t count, off64_t offset) {   \
        LOOK_UP(function)                                                                 \
        struct passage passage =                                                          \
            begin_file("pwrite", FAULT_CHANGE | FAULT_PARTIAL | FAULT_SPACE, descriptor, (uint64_t)offset, count); \
        if (passage.fails) return -1;                                                     \
        if (passage.dies_within) count = part(count);                                     \
        ssize_t result = real_##function(descriptor, bytes, count, offset);               \
        end(passage, result);                                                             \
        return result;                                                                    \
    }
WRITE_AT(pwrite)
WRITE_AT(pwrite64)

ssize_t read(int descriptor, void *bytes, size_t count) {
    LOOK_UP(read)
    struct passage passage = begin_file("read", FAULT_LOOK, descriptor, 0, count);
    if (passage.fails) return -1;
    ssize_t result = real_read(descriptor, bytes, count);
    end(passage, result);
    return result;
}

// Content or answers

ssize_t write(int descriptor, const void *bytes, size_t count) {
    LOOK_UP(write)
    struct passage passage = begin_output("write", descriptor, count);
    if (passage.fails) return -1;
    if (passage.dies_within) count = part(count);
    ssize_t result = real_write(descriptor, bytes, count);
    end(passage, result);
    return result;
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
    LOOK_UP(writev)
    struct passage passage = begin_output("writev", descriptor, (uint64_t)count);
    if (passage.fails) return -1;
    ssize_t result = real_writev(descriptor, pieces, count);
    end(passage, result);
    return result;
}

ssize_t send(int descriptor, const void *bytes, size_t count, int flags) {
    LOOK_UP(send)
    struct passage passage = begin_output("send", descriptor, count);
    if (passage.fails) return -1;
    ssize_t result = real_send(descriptor, bytes, count, flags);
    end(passage, result);
    return result;
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    LOOK_UP(sendmsg)
    struct passage passage = begin_output("sendmsg", descriptor, 0);
    if (passage.fails) return -1;
    ssize_t result = real_sendmsg(descriptor, message, flags);
    end(passage, result);
    return result;
}
