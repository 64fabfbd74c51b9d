/* What is allowed and still deserves a second look. */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "policy/model.h"

struct review {
	const struct policy *policy;
	int (*look)(void *ctx, const struct policy_look *look);
	void *ctx;
	struct buf text;
	int result;
};

enum { LOOK_TEXT = 16 * 1024 };

const char *policy_look_name(enum policy_look_kind kind)
{
	static const char *const names[LOOK_KINDS] = {
		[LOOK_UNATTENDED] = "unattended",   [LOOK_WILDCARD] = "wildcard", [LOOK_NO_FACTS] = "no facts",
		[LOOK_NO_EFFECT] = "no effect",     [LOOK_WRITABLE] = "writable", [LOOK_HOME] = "home",
		[LOOK_CREDENTIALS] = "credentials", [LOOK_MISSING] = "missing",
	};

	return kind < LOOK_KINDS ? names[kind] : "";
}

/* Puts one line together; NULL ends the parts. Each is escaped: paths and reasons are the author's own words. */
static void tell(struct review *v, enum policy_look_kind kind, uint32_t line, uint32_t column, const struct slice *parts,
		 size_t count)
{
	struct policy_look look = { .kind = kind, .line = line, .column = column };
	int r = 0;

	if (v->result)
		return;
	buf_clear(&v->text);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = text_escape(&v->text, parts[i]);
	r = r ? r : buf_add_char(&v->text, '\0');
	look.text = v->text.ptr;
	v->result = r < 0 ? -ENOMEM : v->look(v->ctx, &look);
}

#define TELL(v, kind, at, ...)                                                                                                     \
	tell(v, kind, (at)->line, (at)->column, (const struct slice[]){ __VA_ARGS__ },                                             \
	     sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))

/* ---- servers ---- */

static bool within(struct slice path, struct slice folder)
{
	return folder.len == 1 || (slice_starts(path, folder) && (path.len == folder.len || path.ptr[folder.len] == '/'));
}

/* /root, /home, /home/NAME, the user's own, or a folder that holds it. */
static bool is_home(struct slice path, struct slice home)
{
	struct slice homes = SLICE("/home/");

	if (slice_eq(path, SLICE("/root")) || slice_eq(path, SLICE("/home")) || (home.len && within(home, path)))
		return true;
	return slice_starts(path, homes) && path.len > homes.len && !memchr(path.ptr + homes.len, '/', path.len - homes.len);
}

/* The last parts of paths where keys and tokens are kept, and folders of other programs' sockets. */
static bool holds_credentials(struct slice path)
{
	static const char *const parts[] = {
		".aws",   ".azure", ".claude",  ".codex", ".config", ".docker",         ".gemini", ".git-credentials",
		".gnupg", ".kube",  ".mozilla", ".netrc", ".npmrc",  ".password-store", ".pypirc", ".ssh",
	};
	static const char *const folders[] = { "/etc", "/run", "/var/run", "/var/lib" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (within(path, slice_str(folders[i])))
			return true;
	for (size_t i = 0; i < path.len; i++) {
		size_t end = i + 1;

		while (end < path.len && path.ptr[end] != '/')
			end++;
		for (size_t j = 0; path.ptr[i] == '/' && j < sizeof(parts) / sizeof(parts[0]); j++)
			if (slice_eq(slice_of(path.ptr + i + 1, end - i - 1), slice_str(parts[j])))
				return true;
	}
	return false;
}

static void review_server(struct review *v, const struct policy_server *s)
{
	struct slice name = slice_str(s->name);

	for (size_t i = 0; i < s->mount_count; i++) {
		const struct policy_mount *m = &s->mounts[i];
		struct slice host = slice_str(m->host), at = slice_str(m->at);

		if (m->mode == MODE_READ_WRITE)
			TELL(v, LOOK_WRITABLE, m, SLICE("server "), name, SLICE(" may change "), host, SLICE(" (inside: "), at,
			     SLICE(")"));
		if (is_home(host, slice_str(v->policy->home)))
			TELL(v, LOOK_HOME, m, SLICE("server "), name, SLICE(" sees a whole home folder, "), host);
		if (holds_credentials(host))
			TELL(v, LOOK_CREDENTIALS, m, SLICE("server "), name, SLICE(" sees "), host,
			     SLICE(", where credentials or other programs' sockets are kept"));
	}
}

/* ---- agents ---- */

static void review_rule(struct review *v, const struct rule *r)
{
	struct slice label = slice_str(r->label), dot = SLICE(".");

	if (r->unattended)
		TELL(v, LOOK_UNATTENDED, r, label, SLICE(": "), r->server, dot, r->tool,
		     SLICE(" runs without a person even where it is destructive: "), slice_str(r->unattended));
	if (r->wildcard && r->list != LIST_DENY)
		TELL(v, LOOK_WILDCARD, r, label, SLICE(": "), r->server, dot, r->tool,
		     SLICE(" also grants what the server may add later"));
	else if (r->list != LIST_DENY && !model_fact(v->policy, r->server, r->tool))
		TELL(v, LOOK_NO_FACTS, r, label, SLICE(": "), r->server, dot, r->tool,
		     SLICE(" has no facts, and so counts as destructive"));
}

/*
 * The agent's rules without limits, by server and by what stands before the first star of the tool: who covers a tool is found by the tool's
 * beginnings, instead of by asking each rule about each other one.
 */
struct cover {
	struct slice server, start;
	const struct rule *rule;
};

struct covers {
	struct cover *list; /* by server, start, then as in the agent's rules */
	size_t count;
	bool lengths[TOOL_MAX_LEN + 1]; /* of `start`, that occur */
};

static struct slice before_star(struct slice tool)
{
	const char *star = tool.len ? memchr(tool.ptr, '*', tool.len) : NULL;

	return star ? slice_of(tool.ptr, (size_t)(star - tool.ptr)) : tool;
}

static int cover_cmp(const void *a, const void *b)
{
	const struct cover *x = a, *y = b;
	int order = name_cmp(x->server, x->start, y->server, y->start);

	return order ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

static int covers_make(struct covers *c, const struct agent *a)
{
	*c = (struct covers){ .list = a->rule_count ? calloc(a->rule_count, sizeof(*c->list)) : NULL };
	if (a->rule_count && !c->list)
		return -ENOMEM;
	for (size_t i = 0; i < a->rule_count; i++) {
		const struct rule *r = &a->rules[i];
		struct cover cover = { .server = r->server, .start = before_star(r->tool), .rule = r };

		if (r->limited || cover.start.len > TOOL_MAX_LEN)
			continue;
		c->list[c->count++] = cover;
		c->lengths[cover.start.len] = true;
	}
	if (c->count)
		qsort(c->list, c->count, sizeof(*c->list), cover_cmp);
	return 0;
}

/* Can a rule of this list make `r` void at all? If not, none that stands after it can: deny stands before ask, and ask before allow. */
static bool may_void(enum rule_list list, const struct rule *r)
{
	return list < r->list || (list == r->list && r->limited);
}

static bool voids(const struct rule *wide, const struct rule *r)
{
	return name_matches(wide->tool, r->tool) && (wide->list != r->list || wide->unattended || !r->unattended);
}

/* The first rule of this server and start that covers `r` and makes it void, unless `best` stands before it. A pattern taken as a name answers for all that it matches. */
static const struct rule *first_of(const struct covers *c, struct slice server, struct slice start, const struct rule *r, const struct rule *best)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (name_cmp(c->list[middle].server, c->list[middle].start, server, start) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < c->count && (!best || c->list[low].rule < best); low++) {
		const struct cover *cover = &c->list[low];

		if (!may_void(cover->rule->list, r) || name_cmp(cover->server, cover->start, server, start) != 0)
			break;
		if (voids(cover->rule, r))
			return cover->rule;
	}
	return best;
}

/* Rules that do nothing because of another: granted, but denied whole; limited, but granted without limits elsewhere in the list. */
static void review_void(struct review *v, const struct covers *c, const struct rule *r)
{
	const struct slice servers[] = { r->server, SLICE("*") };
	const struct rule *wide = NULL;

	if (r->list == LIST_DENY)
		return;
	for (size_t i = 0; i < 2; i++)
		for (size_t len = 0; len <= r->tool.len && len <= TOOL_MAX_LEN; len++)
			if (c->lengths[len])
				wide = first_of(c, servers[i], slice_of(r->tool.ptr, len), r, wide);
	if (!wide)
		return;
	if (wide->list == LIST_DENY)
		TELL(v, LOOK_NO_EFFECT, r, slice_str(r->label), SLICE(" never applies: "), slice_str(wide->label), SLICE(" denies the tool"));
	else if (wide->list == r->list)
		TELL(v, LOOK_NO_EFFECT, r, slice_str(r->label), SLICE(": its args limit nothing, "), slice_str(wide->label),
		     SLICE(" grants the tool with any"));
	else
		TELL(v, LOOK_NO_EFFECT, r, slice_str(r->label), SLICE(" never applies: "), slice_str(wide->label), SLICE(" asks for every call"));
}

static void review_agent(struct review *v, const struct agent *a)
{
	struct covers c;

	v->result = covers_make(&c, a);
	for (size_t i = 0; i < a->rule_count && !v->result; i++) {
		review_rule(v, &a->rules[i]);
		review_void(v, &c, &a->rules[i]);
	}
	free(c.list);
}

int policy_review(const struct policy *policy, int (*look)(void *ctx, const struct policy_look *look), void *ctx)
{
	struct review v = { .policy = policy, .look = look, .ctx = ctx, .text = BUF_INIT(LOOK_TEXT) };

	for (size_t i = 0; i < policy->server_count && !v.result; i++)
		review_server(&v, &policy->servers[i]);
	for (size_t i = 0; i < policy->agent_count && !v.result; i++)
		review_agent(&v, &policy->agents[i]);
	buf_free(&v.text);
	return v.result;
}
