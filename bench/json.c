/*
 * What JSON costs on the way of a call: the document on standard input is parsed, written out canonically, packed and unpacked,
 * and skimmed, each for a while. Prints one line of JSON: bytes, and for each the nanoseconds of the fastest round.
 *
 * usage: bench-json <DOCUMENT
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "parse/json.h"
#include "parse/skim.h"

enum { ROUNDS = 20, ROUND_NS = 10 * 1000 * 1000, ROOM = 256 << 20 };

static const struct json_limits limits = { .bytes = ROOM, .depth = 64, .items = 10000000 };

struct work {
	struct arena arena;
	struct buf input, text, packed;
	struct json value;
};

static void require(bool held, const char *what)
{
	if (!held) {
		fprintf(stderr, "bench-json: %s failed\n", what);
		exit(1);
	}
}

static void do_parse(struct work *w)
{
	arena_clear(&w->arena);
	require(json_parse(&w->arena, buf_slice(&w->input), &limits, &w->value, NULL) == JSON_OK, "parsing");
}

static void do_write(struct work *w)
{
	buf_clear(&w->text);
	require(json_write(&w->text, &w->value) == 0, "writing");
}

static void do_pack(struct work *w)
{
	buf_clear(&w->packed);
	require(json_pack(&w->packed, &w->value) == 0, "packing");
}

static void do_unpack(struct work *w)
{
	arena_clear(&w->arena);
	require(json_unpack(&w->arena, buf_slice(&w->packed), &limits, &w->value) == 0, "unpacking");
}

static void do_skim(struct work *w)
{
	struct skim_found found;
	struct skim s;

	skim_start(&s);
	skim_feed(&s, buf_slice(&w->input));
	skim_finish(&s, &found);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The fastest round is the one that the rest of the machine disturbed least. */
static double fastest(struct work *w, void (*what)(struct work *))
{
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), took, times = 0;

		do {
			what(w);
			times++;
			took = now_ns() - start;
		} while (took < ROUND_NS);
		if ((double)took / (double)times < best)
			best = (double)took / (double)times;
	}
	return best;
}

int main(void)
{
	static const struct {
		const char *name;
		void (*what)(struct work *);
	} steps[] = {
		{ "parse", do_parse }, { "write", do_write }, { "pack", do_pack }, { "unpack", do_unpack }, { "skim", do_skim }
	};
	struct work w = { .arena = ARENA_INIT(ROOM), .input = BUF_INIT(ROOM), .text = BUF_INIT(ROOM), .packed = BUF_INIT(ROOM) };

	require(io_read_all(STDIN_FILENO, &w.input) == 0, "reading");
	printf("{\"bytes\":%zu", w.input.len);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		printf(",\"%s\":%.0f", steps[i].name, fastest(&w, steps[i].what));
	printf("}\n");
	arena_free(&w.arena);
	buf_free(&w.input);
	buf_free(&w.text);
	buf_free(&w.packed);
	return 0;
}
