#ifndef FOREBAY_CHECKSUM_H
#define FOREBAY_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// Extends a CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected) by `length` bytes.
///
/// `crc` is the value returned for the bytes before these, 0 for none. Uses the SSE 4.2
/// instruction where the processor has it, a table otherwise; both give the same value.
uint32_t forebay_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The table form alone, so that a test can hold one against the other.
uint32_t forebay_crc32c_table(uint32_t crc, const void *bytes, size_t length);

#endif
