#ifndef FOREBAY_FAULT_PAGE_H
#define FOREBAY_FAULT_PAGE_H

#include <stdbool.h>
#include <stdint.h>

/// The page that a drill and the program under test share: the drill says at which call what shall happen, the library
/// CSyscallFaults, preloaded into the program, does it and notes every call. A mapped file, so that what was noted outlives a SIGKILL.

/// The variable of the environment that names the file.
#define FAULT_PAGE_VARIABLE "SYSCALL_FAULTS"

enum { FAULT_PAGE_CALLS = 8192, FAULT_PAGE_PATH = 160, FAULT_PAGE_NAME = 16 };

/// What a call is, as bits: a call is counted if it has one of the bits that the drill asked for.
enum {
    /// It changes the directory or a file in it.
    FAULT_CHANGE = 1,
    /// It reads; it may fail.
    FAULT_LOOK = 2,
    /// It sends something on a socket.
    FAULT_ANSWER = 4,
    /// It does neither, or nobody looks whether it failed: close, flock, posix_fadvise.
    FAULT_INERT = 8,
    /// It is one of those that can be done in part: a write, an allocation.
    FAULT_PARTIAL = 16,
    /// It may need space that is not there.
    FAULT_SPACE = 32,
    /// It brings what was written to the disk.
    FAULT_SYNC = 64,
};

/// What happens at the call with the number `target`.
enum {
    FAULT_NOTHING = 0,
    /// SIGKILL instead of the call.
    FAULT_KILL_BEFORE = 1,
    /// SIGKILL when the kernel has done it, before the program learns of it.
    FAULT_KILL_AFTER = 2,
    /// SIGKILL when so many eighths of a write or an allocation have been done.
    FAULT_KILL_WITHIN = 3,
    /// The call is not made; it fails.
    FAULT_FAIL = 4,
    /// So does every counted call after it.
    FAULT_FAIL_FROM = 5,
    /// One in `target` of the counted calls is not made and fails; which ones, their numbers decide.
    FAULT_FAIL_SOME = 6,
};

struct fault_call {
    /// Points of one clock that advances with every begin and every end of a call; `ended` is 0 for a call that never returned.
    uint64_t begun, ended;
    /// 1, 2, 3 … for calls that are counted, else 0.
    uint64_t number;
    int64_t result;
    uint64_t offset, length;
    uint32_t kind, error;
    char name[FAULT_PAGE_NAME];
    char thread[FAULT_PAGE_NAME];
    /// Below the root, as the file is called during the call; of a rename the old name.
    char path[FAULT_PAGE_PATH];
    char new_path[FAULT_PAGE_PATH];
};

struct fault_page {
    uint64_t armed;
    uint64_t action, target, kinds;
    /// The errno of FAULT_FAIL, FAULT_FAIL_FROM and FAULT_FAIL_SOME, the eighths of FAULT_KILL_WITHIN.
    uint64_t argument;
    /// Only calls of threads whose name begins so are counted.
    char thread[FAULT_PAGE_NAME];
    /// Only calls on what lies below this directory are seen.
    char root[FAULT_PAGE_PATH];
    uint64_t clock, counted, noted;
    /// The number of the call at which something was done; 0 until then.
    uint64_t struck;
    /// How many calls have failed by order.
    uint64_t failed;
    struct fault_call calls[FAULT_PAGE_CALLS];
};

/// Maps the file, making it, with zeros, if `makes` says so. NULL if that fails; see errno.
struct fault_page *fault_page_map(const char *path, bool makes);

void fault_page_unmap(struct fault_page *page);

/// Forgets everything; calls on what lies below `root` will be seen. While no program uses the page.
void fault_page_clear(struct fault_page *page, const char *root);

/// Lets calls be noted from now on, and those counted that have one of `kinds` and are made by a thread whose name begins with `thread`.
/// Returns how many had been noted before.
uint64_t fault_page_arm(
    struct fault_page *page, uint64_t action, uint64_t argument, uint64_t target, uint64_t kinds, const char *thread);

/// Lets every call through from now on; they are noted as before.
void fault_page_heal(struct fault_page *page);

/// The number of the call at which something was done; 0 until then.
uint64_t fault_page_struck(const struct fault_page *page);

/// How many calls have failed by order since the page was cleared.
uint64_t fault_page_failed(const struct fault_page *page);

/// How many calls can be read with `fault_page_call`.
uint64_t fault_page_noted(const struct fault_page *page);

/// The call noted as the `index`-th, from 0.
const struct fault_call *fault_page_call(const struct fault_page *page, uint64_t index);

#endif
