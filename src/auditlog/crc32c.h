/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): finds accidents, not attackers. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* Continues `crc` (0 to begin) over more bytes. */
uint32_t crc32c(uint32_t crc, struct slice bytes);
