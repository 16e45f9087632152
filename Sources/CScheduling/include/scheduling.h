#ifndef FOREBAY_SCHEDULING_H
#define FOREBAY_SCHEDULING_H

#include <stdint.h>

/// Asks the scheduler to give the calling thread the processor for `nanoseconds` at a time (0.1 to 100 ms): the slice of
/// sched_setattr(2), which C libraries before glibc 2.41 do not declare.
///
/// The thread's policy becomes SCHED_OTHER. From Linux 6.12 on, a thread that wakes up pushes aside one whose slice is longer;
/// earlier kernels ignore the value. Needs no privilege.
///
/// The thread's nice value becomes that of the process (of its first thread) less `lift`. Where that is not allowed, which takes
/// CAP_SYS_NICE or a limit of RLIMIT_NICE that reaches so far, the value stays as it is.
///
/// Returns 0, or the errno of the call.
int forebay_set_slice(uint64_t nanoseconds, int lift);

/// The calling thread's slice in nanoseconds; 0 if the kernel does not tell.
uint64_t forebay_get_slice(void);

/// The calling thread's nice value.
int forebay_get_nice(void);

/// Keeps the calling thread on one of the processors that it may run on: the last for place 0, the one before for place 1, and
/// round again when there are no more. A thread of place 0 so shares its processor with no other place until all are taken.
///
/// Returns 0, or the errno of the call.
int forebay_keep_processor(unsigned place);

#endif
