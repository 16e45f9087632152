#ifndef FOREBAY_SYSCALL_FAULTS_H
#define FOREBAY_SYSCALL_FAULTS_H

/// A library to be preloaded (ld.so(8), LD_PRELOAD) into a program whose file system calls are to be counted, and one of them made to
/// kill the program or to fail. It exports the C library's functions by their own names and nothing else; what it is told stands in
/// fault_page.h. The program under test is the one that is shipped: it has no part in this.

#endif
