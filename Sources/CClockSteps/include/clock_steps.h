#ifndef FOREBAY_CLOCK_STEPS_H
#define FOREBAY_CLOCK_STEPS_H

/// A library to be preloaded (ld.so(8), LD_PRELOAD) into a program whose time of day is to be set while it runs. The variable FOREBAY_CLOCK_STEPS names a file of eight
/// bytes: how many seconds the program's time of day is ahead of the system's, in the machine's byte order; whoever writes there sets the clock. The monotonic clock is
/// left alone, as a kernel does. It exports the C library's functions by their own names and nothing else.

#endif
