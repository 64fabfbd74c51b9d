/* What is allowed and still deserves a second look. */
#include <errno.h>

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

/* Does `wide` cover every tool that `narrow` does? A pattern taken as a name answers for all that it matches. */
static bool covers(const struct rule *wide, const struct rule *narrow)
{
	return (slice_eq(wide->server, narrow->server) || slice_eq(wide->server, SLICE("*"))) &&
	       name_matches(wide->tool, narrow->tool);
}

/* Rules that do nothing because of another: granted, but denied whole; limited, but granted without limits elsewhere in the list. */
static void review_void(struct review *v, const struct agent *a, const struct rule *r)
{
	for (size_t i = 0; i < a->rule_count && !v->result; i++) {
		const struct rule *other = &a->rules[i];

		if (other->limited || other == r || r->list == LIST_DENY || !covers(other, r))
			continue;
		if (other->list == LIST_DENY) {
			TELL(v, LOOK_NO_EFFECT, r, slice_str(r->label), SLICE(" never applies: "), slice_str(other->label),
			     SLICE(" denies the tool"));
			return;
		}
		if (other->list == r->list && r->limited && (other->unattended || !r->unattended)) {
			TELL(v, LOOK_NO_EFFECT, r, slice_str(r->label), SLICE(": its args limit nothing, "),
			     slice_str(other->label), SLICE(" grants the tool with any"));
			return;
		}
		if (other->list == LIST_ASK && r->list == LIST_ALLOW) {
			TELL(v, LOOK_NO_EFFECT, r, slice_str(r->label), SLICE(" never applies: "), slice_str(other->label),
			     SLICE(" asks for every call"));
			return;
		}
	}
}

int policy_review(const struct policy *policy, int (*look)(void *ctx, const struct policy_look *look), void *ctx)
{
	struct review v = { .policy = policy, .look = look, .ctx = ctx, .text = BUF_INIT(LOOK_TEXT) };

	for (size_t i = 0; i < policy->server_count && !v.result; i++)
		review_server(&v, &policy->servers[i]);
	for (size_t i = 0; i < policy->agent_count; i++) {
		const struct agent *a = &policy->agents[i];

		for (size_t j = 0; j < a->rule_count && !v.result; j++) {
			review_rule(&v, &a->rules[j]);
			review_void(&v, a, &a->rules[j]);
		}
	}
	buf_free(&v.text);
	return v.result;
}
