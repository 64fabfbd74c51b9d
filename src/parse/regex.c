#define PCRE2_CODE_UNIT_WIDTH 8

#include "parse/regex.h"

#include <errno.h>
#include <pcre2.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "parse/regex_ecma.h"

enum {
	MATCH_LIMIT = 10000000,        /* PCRE2's own count; the budget ends a match long before */
	HEAP_LIMIT = 16 * 1024,        /* KiB that one match may remember for backtracking */
	SCRATCH_KEEP = 256 * 1024,     /* bytes of that which are kept for the next match */
	WRITTEN = REGEX_PATTERN * 512, /* a class escape of two bytes becomes at most some 300 */
};

/* Every allocation that PCRE2 makes for a family is counted, so that a stranger's patterns stay within its bound. */
struct regex_memory {
	size_t used, max;
};

struct regex_block {
	size_t size;
	alignas(max_align_t) char bytes[];
};

struct regex_family {
	struct regex_memory code_memory, match_memory;
	pcre2_general_context *code_general, *match_general;
	pcre2_compile_context *compile;
	pcre2_match_context *match;
	pcre2_match_data *data; /* made when first needed */
	struct regex *all;
	char fault[160];
};

struct regex {
	struct regex *next;
	struct regex_family *family;
	pcre2_code *code;
	unsigned weight;
};

/* What the callouts of one match charge to. */
struct charge {
	uint64_t *budget;
	size_t last;      /* offset at the callout before */
	uint64_t price;   /* of a step */
	uint64_t subject; /* bytes */
};

static void *count_malloc(PCRE2_SIZE size, void *ctx)
{
	struct regex_memory *m = ctx;
	struct regex_block *b;

	if (size > m->max - m->used)
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	m->used += size;
	return b->bytes;
}

static void count_free(void *bytes, void *ctx)
{
	struct regex_memory *m = ctx;
	struct regex_block *b;

	if (!bytes)
		return;
	b = (struct regex_block *)((char *)bytes - offsetof(struct regex_block, bytes));
	m->used -= b->size;
	free(b);
}

/* False ends the match: the budget has nothing left. */
static bool spend(struct charge *c, uint64_t steps)
{
	if (*c->budget < steps) {
		*c->budget = 0;
		return false;
	}
	*c->budget -= steps;
	return true;
}

static int on_callout(pcre2_callout_block *block, void *ctx)
{
	struct charge *c = ctx;
	size_t at = block->current_position;
	uint64_t walked = at > c->last ? at - c->last : c->last - at;

	c->last = at;
	if (block->callout_number == REGEX_CALLOUT_BACKWARD)
		walked += c->subject;
	return spend(c, c->price * (1 + walked / 16)) ? 0 : PCRE2_ERROR_CALLOUT;
}

size_t regex_family_memory(const struct regex_family *f)
{
	return f->code_memory.used;
}

int regex_family_new(size_t bytes, struct regex_family **ret_family)
{
	struct regex_family *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->code_memory.max = bytes;
	/* PCRE2 moves its frames when they grow, so that the old and the new are there at once. */
	f->match_memory.max = (size_t)HEAP_LIMIT * 2 * 1024;
	f->code_general = pcre2_general_context_create(count_malloc, count_free, &f->code_memory);
	f->match_general = pcre2_general_context_create(count_malloc, count_free, &f->match_memory);
	if (f->code_general && f->match_general) {
		f->compile = pcre2_compile_context_create(f->code_general);
		f->match = pcre2_match_context_create(f->match_general);
	}
	if (!f->compile || !f->match) {
		regex_family_free(f);
		return -ENOMEM;
	}
	/* A group, an alternative of it and a lookaround each nest once for PCRE2. */
	pcre2_set_parens_nest_limit(f->compile, REGEX_DEPTH + 2);
	pcre2_set_newline(f->compile, PCRE2_NEWLINE_LF);
	pcre2_set_match_limit(f->match, MATCH_LIMIT);
	pcre2_set_depth_limit(f->match, MATCH_LIMIT);
	pcre2_set_heap_limit(f->match, HEAP_LIMIT);
	*ret_family = f;
	return 0;
}

void regex_family_free(struct regex_family *f)
{
	if (!f)
		return;
	while (f->all) {
		struct regex *r = f->all;

		f->all = r->next;
		pcre2_code_free(r->code);
		free(r);
	}
	pcre2_match_data_free(f->data);
	pcre2_match_context_free(f->match);
	pcre2_compile_context_free(f->compile);
	pcre2_general_context_free(f->match_general);
	pcre2_general_context_free(f->code_general);
	free(f);
}

static int compile_fault(struct regex_family *f, int error, const char **ret_fault)
{
	char text[120];

	if (error == PCRE2_ERROR_HEAP_FAILED || error == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text)) < 0)
		return -EINVAL;
	snprintf(f->fault, sizeof(f->fault), "cannot be run: %s", text);
	*ret_fault = f->fault;
	return -EINVAL;
}

int regex_compile(struct regex_family *f, struct slice pattern, struct regex **ret_regex, const char **ret_fault)
{
	const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
	cleanup_buf struct buf written = BUF_INIT(WRITTEN);
	struct regex *regex;
	PCRE2_SIZE offset;
	unsigned weight;
	int r, error;

	*ret_fault = "is too large";
	r = regex_ecma(pattern, &written, &weight, ret_fault);
	if (r)
		return r == -EMSGSIZE ? -EINVAL : r;
	regex = calloc(1, sizeof(*regex));
	if (!regex)
		return -ENOMEM;
	regex->code = pcre2_compile((PCRE2_SPTR)written.ptr, written.len, options, &error, &offset, f->compile);
	if (!regex->code) {
		free(regex);
		return compile_fault(f, error, ret_fault);
	}
	regex->family = f;
	regex->weight = weight;
	regex->next = f->all;
	f->all = regex;
	*ret_regex = regex;
	return 0;
}

static int match_result(int rc)
{
	switch (rc) {
	case PCRE2_ERROR_NOMATCH:
		return -ENOENT;
	case PCRE2_ERROR_CALLOUT:
	case PCRE2_ERROR_MATCHLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
		return -E2BIG;
	case PCRE2_ERROR_NOMEMORY:
		return -ENOMEM;
	default:
		return rc >= 0 ? 0 : -EINVAL;
	}
}

int regex_match(const struct regex *regex, struct slice subject, uint64_t *budget)
{
	struct regex_family *f = regex->family;
	struct charge charge = { .budget = budget, .price = 1 + regex->weight / 64, .subject = subject.len };
	const char *text = subject.len ? subject.ptr : "";
	int rc;

	/* The UTF-8 check and the search for a first character walk the subject once each, without a callout. */
	if (!spend(&charge, 2 + subject.len / 32))
		return -E2BIG;
	if (!f->data)
		f->data = pcre2_match_data_create(1, f->match_general);
	if (!f->data)
		return -ENOMEM;
	pcre2_set_callout(f->match, on_callout, &charge);
	rc = pcre2_match(regex->code, (PCRE2_SPTR)text, subject.len, 0, 0, f->data, f->match);
	pcre2_set_callout(f->match, NULL, NULL);
	if (f->match_memory.used > SCRATCH_KEEP) {
		pcre2_match_data_free(f->data);
		f->data = NULL;
	}
	return match_result(rc);
}
