/* Which keys belong where, and the checks of kind that go with them. */
#include <errno.h>

#include "base/text.h"
#include "policy/loader.h"

enum { KEYS_MOST = 8 };

static const char *const known[KEYS_PLACES][KEYS_MOST] = {
	[KEYS_TOP] = { "version", "servers", "tools", "agents" },
	[KEYS_SERVER] = { "command", "args", "env", "workspace", "files", "timeout" },
	[KEYS_WORKSPACE] = { "host", "at", "mode" },
	[KEYS_FILE] = { "host", "at", "mode" },
	[KEYS_TOOL] = { "effect" },
	[KEYS_AGENT] = { "allow", "ask", "deny" },
	[KEYS_RULE] = { "tool", "args", "unattended", "within" },
};

/* Part of the language, but of a later version: named here so that whoever writes one hears that, and not that it is misspelt. */
static const char *const later[] = {
	"approvals", "audit",   "auth",    "budget",  "by",     "delegate", "egress",   "exchange", "hosts",  "include",
	"labels",    "limits",  "network", "package", "people", "pin",      "private",  "prompt",   "redact", "returns",
	"screen",    "secrets", "session", "sink",    "url",    "vars",     "webhooks", "when",
};

enum { LATER_COUNT = sizeof(later) / sizeof(later[0]) };

static size_t known_count(enum key_place place)
{
	size_t count = 0;

	while (count < KEYS_MOST && known[place][count])
		count++;
	return count;
}

static bool contains(const char *const *words, size_t count, struct slice word)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(word, slice_str(words[i])))
			return true;
	return false;
}

static const char *place_of(struct slice word)
{
	static const char *const names[KEYS_PLACES] = {
		[KEYS_TOP] = "at the top of the file",
		[KEYS_SERVER] = "in a server",
		[KEYS_WORKSPACE] = "in a workspace",
		[KEYS_FILE] = "in an entry of files",
		[KEYS_TOOL] = "in a tool's facts",
		[KEYS_AGENT] = "in an agent",
		[KEYS_RULE] = "in a rule",
	};

	for (enum key_place p = 0; p < KEYS_PLACES; p++)
		if (contains(known[p], known_count(p), word))
			return names[p];
	return NULL;
}

static void unknown_key(struct loader *l, const struct json_member *m, enum key_place place)
{
	const char *candidates[KEYS_MOST + LATER_COUNT];
	size_t count = known_count(place);
	const char *shown = problem_show(l, m->name), *near, *elsewhere = place_of(m->name);

	memcpy(candidates, known[place], count * sizeof(candidates[0]));
	memcpy(candidates + count, later, sizeof(later));
	near = problems_full(l) ? NULL : text_nearest(m->name, candidates, count + LATER_COUNT);
	if (elsewhere)
		problem_error(l, m->line, m->column, "\"%s\" does not belong here: it stands %s", shown, elsewhere);
	else if (near)
		problem_error(l, m->line, m->column, "unknown key \"%s\" (did you mean \"%s\"?)", shown, near);
	else
		problem_error(l, m->line, m->column, "unknown key \"%s\"", shown);
}

void keys_check(struct loader *l, const struct json *map, enum key_place place)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct json_member *m = &map->members[i];

		if (contains(known[place], known_count(place), m->name))
			continue;
		if (contains(later, LATER_COUNT, m->name))
			problem_error(l, m->line, m->column, "\"%s\" is not in this version", problem_show(l, m->name));
		else if (m->name.ptr) /* a key that is no string has its fault already */
			unknown_key(l, m, place);
	}
}

static const char *kind_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "empty",      [JSON_FALSE] = "true or false", [JSON_TRUE] = "true or false",
		[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",     [JSON_ARRAY] = "a list",
		[JSON_OBJECT] = "a map",
	};

	return names[type];
}

bool expect_type(struct loader *l, const struct json *v, enum json_type type, const char *name)
{
	bool scalar = v->type == JSON_NUMBER || v->type == JSON_TRUE || v->type == JSON_FALSE;

	if (v->type == type)
		return true;
	if (type == JSON_STRING && scalar)
		problem_error(l, v->line, v->column, "%s must be a string: quote it", name);
	else if (v->type == JSON_NULL)
		problem_error(l, v->line, v->column, "%s must be %s, and is empty", name, kind_name(type));
	else
		problem_error(l, v->line, v->column, "%s must be %s, not %s", name, kind_name(type), kind_name(v->type));
	return false;
}

bool expect_text(struct loader *l, const struct json *v, const char *name, struct slice *ret_text)
{
	if (!expect_type(l, v, JSON_STRING, name))
		return false;
	if (v->text.len && memchr(v->text.ptr, '\0', v->text.len))
		problem_error(l, v->line, v->column, "%s holds a NUL character, which no program can be given", name);
	else if (v->text.len && memmem(v->text.ptr, v->text.len, "{secret:", strlen("{secret:")))
		problem_error(l, v->line, v->column, "{secret:...} is not in this version");
	else {
		*ret_text = v->text;
		return true;
	}
	return false;
}

bool expect_bool(struct loader *l, const struct json *v, const char *name, bool *ret_value)
{
	static const char *const yes[] = { "yes", "on", "y", "Yes", "YES", "On", "ON", "Y" };
	static const char *const no[] = { "no", "off", "n", "No", "NO", "Off", "OFF", "N" };
	const char *word = NULL;

	if (json_is_bool(v)) {
		*ret_value = v->type == JSON_TRUE;
		return true;
	}
	if (v->type == JSON_STRING && contains(yes, sizeof(yes) / sizeof(yes[0]), v->text))
		word = "true";
	else if (v->type == JSON_STRING && contains(no, sizeof(no) / sizeof(no[0]), v->text))
		word = "false";
	if (word)
		problem_error(l, v->line, v->column, "%s must be true or false: %s is a string here, write %s", name,
			      problem_show(l, v->text), word);
	else
		problem_error(l, v->line, v->column, "%s must be true or false", name);
	return false;
}

int duration_ms(struct slice s, unsigned units, uint64_t *ret_ms)
{
	static const struct {
		enum duration_unit unit;
		const char *suffix;
		uint64_t ms;
	} table[] = {
		{ UNIT_MS, "ms", 1 },
		{ UNIT_S, "s", 1000 },
		{ UNIT_M, "m", 60 * 1000 },
		{ UNIT_H, "h", 60 * 60 * 1000 },
		{ UNIT_D, "d", 24 * 60 * 60 * 1000 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t len = strlen(table[i].suffix);
		uint64_t n;
		int r;

		if (!(units & table[i].unit) || s.len <= len || memcmp(s.ptr + s.len - len, table[i].suffix, len) != 0)
			continue;
		r = text_u64(slice_of(s.ptr, s.len - len), 0, UINT32_MAX, &n);
		if (r == -EINVAL)
			continue;
		*ret_ms = r == 0 ? n * table[i].ms : UINT64_MAX;
		return 0;
	}
	return -EINVAL;
}

const char *did_you_mean(struct loader *l, struct slice word, const struct json *map)
{
	enum { MOST = 256 };
	char kept[MOST][NAME_MAX_LEN + 1] = { "" };
	const char *names[MOST];
	size_t count = 0;
	const char *near, *text;

	for (uint32_t i = 0; !problems_full(l) && json_is(map, JSON_OBJECT) && i < map->count && count < MOST; i++) {
		struct slice name = map->members[i].name;

		if (!name_is_plain(name))
			continue;
		memcpy(kept[count], name.ptr, name.len);
		names[count] = kept[count];
		count++;
	}
	near = text_nearest(word, names, count);
	text = near ? arena_printf(&l->problems->arena, " (did you mean \"%s\"?)", near) : "";
	if (!text)
		l->out_of_memory = true;
	return text ? text : "";
}
