/* Groups, repeats and alternatives of a pattern. */
#include "parse/regex_read.h"

struct quantifier {
	unsigned long min, max;
	bool unbounded, lazy;
};

/* Digits up to a number that no limit here comes near; more of them stay at that number. */
static unsigned long take_number(struct ecma *e)
{
	unsigned long n = 0;

	for (; is_digit(ecma_peek(e, 0)); e->at++)
		if (n < 100000000)
			n = n * 10 + (unsigned long)(ecma_peek(e, 0) - '0');
	return n;
}

/*
 * {n}, {n,} or {n,m} at the cursor: 1 and the cursor behind it, 0 when the brace is an ordinary character, -EINVAL.
 * "{,n}" is a count in some dialects and ordinary text in others; it is refused.
 */
static int take_braces(struct ecma *e, struct quantifier *q)
{
	size_t start = e->at;

	e->at++;
	if (ecma_peek(e, 0) == ',' && is_digit(ecma_peek(e, 1)))
		return ecma_refuse(e, "has \"{,\", which readers disagree about");
	if (!is_digit(ecma_peek(e, 0)))
		goto ordinary;
	q->min = q->max = take_number(e);
	if (ecma_take(e, ",")) {
		q->unbounded = !is_digit(ecma_peek(e, 0));
		if (!q->unbounded)
			q->max = take_number(e);
	}
	if (!ecma_take(e, "}"))
		goto ordinary;
	if (q->min > REGEX_REPEAT || q->max > REGEX_REPEAT)
		return ecma_refuse(e, "repeats more than 65535 times");
	if (!q->unbounded && q->max < q->min)
		return ecma_refuse(e, "has a repeat whose counts are out of order");
	return 1;
ordinary:
	e->at = start;
	return 0;
}

/* A quantifier at the cursor: 1, 0 when there is none, -EINVAL. */
static int take_quantifier(struct ecma *e, struct quantifier *q)
{
	int r = 1;

	*q = (struct quantifier){ 0 };
	if (ecma_take(e, "*"))
		q->unbounded = true;
	else if (ecma_take(e, "+"))
		*q = (struct quantifier){ .min = 1, .unbounded = true };
	else if (ecma_take(e, "?"))
		q->max = 1;
	else if (ecma_peek(e, 0) == '{' && ecma_more(e))
		r = take_braces(e, q);
	else
		return 0;
	if (r > 0)
		q->lazy = ecma_take(e, "?");
	return r;
}

/* ---- the first pass: groups, their names, and what is repeated ---- */

static int take_name(struct ecma *e, struct slice *ret_name)
{
	size_t start = e->at;
	struct slice name;

	while (is_letter(ecma_peek(e, 0)) || is_digit(ecma_peek(e, 0)) || ecma_peek(e, 0) == '_' || ecma_peek(e, 0) == '$')
		e->at++;
	name = slice_of(e->in.ptr + start, e->at - start);
	if (name.len == 0 || name.len > 64 || is_digit(name.ptr[0]) || !ecma_take(e, ">"))
		return ecma_refuse(e, "has a group name that is not one (letters, digits, _ and $ are read)");
	*ret_name = name;
	return 0;
}

/* Reads what follows "(" and fills `g`. */
static int take_group_head(struct ecma *e, struct ecma_group *g)
{
	bool captures = true;
	int r = 0;

	if (ecma_take(e, "?:")) {
		captures = false;
	} else if (ecma_take(e, "?=") || ecma_take(e, "?!") || ecma_take(e, "?<=") || ecma_take(e, "?<!")) {
		captures = false;
		g->assertion = true;
	} else if (ecma_take(e, "?<")) {
		r = take_name(e, &g->name);
	} else if (ecma_peek(e, 0) == '?') {
		return ecma_refuse(e, "has a group that ECMA-262 does not know");
	}
	g->capture = captures ? ++e->n_captures : 0;
	return r;
}

static int name_is_new(struct ecma *e, struct slice name)
{
	for (unsigned i = 1; name.len && i < e->n_groups; i++)
		if (slice_eq(e->group[i].name, name))
			return ecma_refuse(e, "names two groups alike");
	return 0;
}

static int find_group(struct ecma *e, unsigned *open)
{
	struct ecma_group *g;
	int r;

	if (e->n_groups >= REGEX_GROUPS)
		return ecma_refuse(e, "has too many groups");
	if (e->depth >= REGEX_DEPTH)
		return ecma_refuse(e, "nests groups too deeply");
	g = &e->group[++e->n_groups];
	g->parent = *open;
	*open = e->n_groups;
	e->depth++;
	r = take_group_head(e, g);
	return r ? r : name_is_new(e, g->name);
}

static int close_found(struct ecma *e, unsigned *open)
{
	struct quantifier q;
	int r;

	if (*open == 0)
		return ecma_refuse(e, "closes a group that is not open");
	r = take_quantifier(e, &q);
	if (r < 0)
		return r;
	e->group[*open].repeated = r > 0 && (q.unbounded || q.max > 1);
	*open = e->group[*open].parent;
	e->depth--;
	return 0;
}

static int find_groups(struct ecma *e)
{
	unsigned open = 0;
	bool in_class = false;
	int r = 0;

	while (ecma_more(e) && r == 0) {
		char c = e->in.ptr[e->at++];

		if (c == '\\') {
			e->backreferences |=
			    !in_class && (ecma_peek(e, 0) == 'k' || (ecma_peek(e, 0) >= '1' && ecma_peek(e, 0) <= '9'));
			e->at += ecma_more(e);
		} else if (in_class) {
			in_class = c != ']';
		} else if (c == '[') {
			in_class = true;
		} else if (c == '(') {
			r = find_group(e, &open);
		} else if (c == ')') {
			r = close_found(e, &open);
		}
	}
	if (r == 0 && open)
		r = ecma_refuse(e, "has a group that is never closed");
	e->at = 0;
	e->depth = 0;
	return r;
}

/* ---- the second pass: terms ---- */
static bool is_open(const struct ecma *e, unsigned group)
{
	for (unsigned i = 1; i <= e->depth; i++)
		if (e->level[i].group == group)
			return true;
	return false;
}

static int put_backreference(struct ecma *e, unsigned capture)
{
	for (unsigned i = 1; i <= e->n_groups; i++) {
		const struct ecma_group *g = &e->group[i];

		if (g->capture != capture)
			continue;
		/* At each round of a repeat ECMA-262 forgets what the groups in it have matched, PCRE2 does not. */
		for (unsigned up = is_open(e, i) ? i : g->parent; up; up = e->group[up].parent)
			if (e->group[up].repeated)
				return ecma_refuse(e, "refers back to a group inside a repeated group");
		return buf_printf(e->out, "(?:(?C1)\\g{%u})", capture);
	}
	return ecma_refuse(e, "refers back to a group that it does not have");
}

static int put_named_backreference(struct ecma *e)
{
	struct slice name;
	int r = ecma_take(e, "k<") ? take_name(e, &name) : ecma_refuse(e, "has a \\k without <name>");

	if (r)
		return r;
	for (unsigned i = 1; i <= e->n_groups; i++)
		if (slice_eq(e->group[i].name, name))
			return put_backreference(e, e->group[i].capture);
	return ecma_refuse(e, "refers back to a group that it does not have");
}

/* Behind a backslash, outside a class. *ret_assertion: what was written matches no character. */
static int put_escape(struct ecma *e, bool *ret_assertion)
{
	char c = ecma_peek(e, 0);
	const char *set = ecma_class_escape(c);
	uint32_t code;
	int r;

	if (c == 'b' || c == 'B') {
		e->at++;
		*ret_assertion = true;
		return buf_add_str(e->out, c == 'b' ? "\\b" : "\\B");
	}
	if (set) {
		e->at++;
		return buf_printf(e->out, "[%s]", set);
	}
	if (c == 'p' || c == 'P')
		return ecma_put_property(e);
	if (c == 'k')
		return put_named_backreference(e);
	if (c >= '1' && c <= '9') {
		unsigned long n = take_number(e);

		return put_backreference(e, n > REGEX_GROUPS ? REGEX_GROUPS + 1 : (unsigned)n);
	}
	r = ecma_take_character(e, &code);
	if (r == 0)
		return ecma_refuse(e, "has an escape that ECMA-262 does not know");
	return r < 0 ? r : ecma_put_char(e, code);
}

static int grow(struct ecma *e, unsigned long weight, unsigned long size)
{
	struct ecma_level *l = &e->level[e->depth];

	l->weight += weight;
	l->size += size;
	return l->weight > REGEX_WEIGHT || l->size > REGEX_WEIGHT
		   ? ecma_refuse(e, "is too large when its repeats are multiplied out")
		   : 0;
}

/* Whatever may follow a term: its quantifier, then the callout that charges the repeating. */
static int put_quantifier(struct ecma *e, bool assertion, bool group, unsigned long weight, unsigned long size)
{
	struct quantifier q;
	unsigned long copies;
	int r = take_quantifier(e, &q);

	if (r < 0)
		return r;
	if (r == 0)
		return grow(e, weight, size);
	if (assertion)
		return ecma_refuse(e, "repeats an assertion");
	if (q.unbounded)
		r = buf_printf(e->out, "{%lu,}%s(?C0)", q.min, q.lazy ? "?" : "");
	else
		r = buf_printf(e->out, "{%lu,%lu}%s(?C0)", q.min, q.max, q.lazy ? "?" : "");
	copies = q.unbounded ? q.min + 1 : q.max;
	/* A repeated character is one instruction; a repeated group is written out as often as its count says. */
	return r ? r : grow(e, weight * (q.min ? q.min : 1), size * (group && copies ? copies : 1));
}

/* Each alternative of a group that repeats begins with a callout, so that no round goes uncounted. */
static int put_alternative_start(struct ecma *e)
{
	const struct ecma_group *g = &e->group[e->level[e->depth].group];

	return e->depth == 0 || g->repeated ? buf_add_str(e->out, "(?C0)") : 0;
}

static int put_group_start(struct ecma *e)
{
	const struct ecma_group *g = &e->group[++e->next];
	size_t start = e->at;
	struct ecma_group again = { 0 };
	int r;

	r = take_group_head(e, &again);
	if (r)
		return r;
	if (g->assertion)
		r = buf_printf(e->out, "(%.*s", (int)(e->at - start), e->in.ptr + start);
	else
		r = buf_add_str(e->out, g->capture && e->backreferences ? "(" : "(?:");
	e->level[++e->depth] = (struct ecma_level){ .group = e->next };
	return r ? r : put_alternative_start(e);
}

static int put_group_end(struct ecma *e)
{
	struct ecma_level l = e->level[e->depth--];
	int r = buf_add_char(e->out, ')');

	return r ? r : put_quantifier(e, e->group[l.group].assertion, true, l.weight + 1, l.size + 1);
}

static int put_literal(struct ecma *e)
{
	int32_t c = utf8_next(e->in, &e->at);

	return c < 0 ? ecma_refuse(e, "is not UTF-8") : ecma_put_char(e, (uint32_t)c);
}

static int put_term(struct ecma *e)
{
	size_t written = e->out->len;
	bool assertion = false;
	struct quantifier q;
	int r = take_quantifier(e, &q);

	if (r)
		return r < 0 ? r : ecma_refuse(e, "repeats nothing");
	if (ecma_take(e, "("))
		return put_group_start(e);
	if (ecma_take(e, ")"))
		return put_group_end(e);
	if (ecma_take(e, "|")) {
		r = buf_add_char(e->out, '|');
		return r ? r : put_alternative_start(e);
	}
	if (ecma_take(e, "^")) {
		assertion = true;
		r = buf_add_char(e->out, '^');
	} else if (ecma_take(e, "$")) {
		assertion = true;
		r = buf_add_char(e->out, '$');
	} else if (ecma_take(e, ".")) {
		r = buf_add_str(e->out, "[^\\n\\r\\x{2028}\\x{2029}]");
	} else if (ecma_take(e, "[")) {
		r = ecma_put_class(e);
	} else if (ecma_take(e, "\\")) {
		r = put_escape(e, &assertion);
	} else {
		r = put_literal(e);
	}
	/* A class is compared member by member. */
	return r ? r : put_quantifier(e, assertion, false, 1 + (e->out->len - written) / 16, 1);
}

int regex_ecma(struct slice pattern, struct buf *out, unsigned *ret_weight, const char **ret_fault)
{
	struct ecma e = { .in = pattern, .out = out };
	int r = pattern.len > REGEX_PATTERN ? ecma_refuse(&e, "is longer than 8192 bytes") : find_groups(&e);

	e.n_captures = 0;
	if (r == 0)
		r = put_alternative_start(&e);
	while (r == 0 && ecma_more(&e))
		r = put_term(&e);
	if (r == 0)
		*ret_weight = (unsigned)e.level[0].weight;
	else
		*ret_fault = e.fault;
	return r;
}

bool regex_valid(struct slice pattern)
{
	struct buf out = BUF_INIT(REGEX_PATTERN * 512);
	const char *fault;
	unsigned weight;
	int r = regex_ecma(pattern, &out, &weight, &fault);

	buf_free(&out);
	return r == 0;
}
