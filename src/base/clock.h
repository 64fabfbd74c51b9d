/* The two clocks. Durations are measured on the monotonic one only; wall time is for people and the record. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

/* Nanoseconds since an arbitrary start; never goes back. */
static inline uint64_t clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Microseconds since 1970-01-01T00:00:00Z. */
static inline uint64_t clock_wall_us(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000;
}
