#ifndef FOREBAY_SANITIZER_HINTS_H
#define FOREBAY_SANITIZER_HINTS_H

/* Nothing to call: linking is what counts. See mutex_hints.c. */

#endif
