#include "judge/tools.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"

enum {
	TOOLS_ARENA_MAX = 64 * 1024 * 1024,
	SCHEMAS_MAX = 32 * 1024 * 1024, /* bytes of one server's compiled schemas */
};

struct tools *tools_new(const uint8_t *code)
{
	struct tools *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->arena = ARENA_INIT(TOOLS_ARENA_MAX);
	text_hex(code, TOOL_HEX / 2, t->code);
	return t;
}

void tools_free(struct tools *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++)
		schema_free(t->list[i].schema);
	arena_free(&t->arena);
	free(t);
}

/* MCP 2025-11-25, server/tools, tool names: 1 to 128 of these characters. A name that looks like another is not among them. */
static bool name_ok(struct slice name)
{
	if (name.len < 1 || name.len > 128)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr("_-./", c))
			return false;
	}
	return true;
}

/*
 * The parts of a definition that the agent gets to see. Others are left out: "icons" would make a client fetch what the server
 * names, "execution" and "_meta" announce what is not carried.
 */
static const struct json *visible(struct arena *arena, const struct json *definition)
{
	static const char *const keep[] = { "name", "title", "description", "inputSchema", "outputSchema", "annotations" };
	enum { KEEP = sizeof(keep) / sizeof(keep[0]) };
	struct json *out = arena_alloc(arena, sizeof(*out));
	struct json_member *members = arena_array(arena, KEEP, sizeof(*members));
	uint32_t count = 0;

	if (!out || !members)
		return NULL;
	for (size_t i = 0; i < KEEP; i++) {
		const struct json *v = json_get(definition, slice_str(keep[i]));

		if (v)
			members[count++] = (struct json_member){ .name = slice_str(keep[i]), .value = *v };
	}
	*out = (struct json){ .type = JSON_OBJECT, .count = count, .members = members };
	return out;
}

static bool type_is_or_absent(const struct json *object, const char *name, enum json_type type)
{
	const struct json *v = json_get(object, slice_str(name));

	return !v || v->type == type;
}

/* Why this tool cannot be offered, or NULL; fills tool->schema. */
static const char *compile(struct arena *arena, struct tool *tool)
{
	const struct json *d = tool->definition;
	const struct json *input = json_get_type(d, SLICE("inputSchema"), JSON_OBJECT);
	struct schema_options options = { 0 };
	struct schema_fault fault;
	int r;

	if (!name_ok(tool->name))
		return "its name is not 1 to 128 letters, digits, \"_\", \"-\", \".\" or \"/\"";
	if (!type_is_or_absent(d, "title", JSON_STRING) || !type_is_or_absent(d, "description", JSON_STRING) ||
	    !type_is_or_absent(d, "outputSchema", JSON_OBJECT) || !type_is_or_absent(d, "annotations", JSON_OBJECT))
		return "its definition has a member of the wrong type";
	if (!input)
		return "it has no inputSchema";
	r = schema_compile(input, &options, &tool->schema, &fault);
	if (r == -EINVAL) {
		const char *why = arena_printf(arena, "its inputSchema cannot be enforced: at \"%s\": %s", fault.where, fault.what);

		return why ? why : "its inputSchema cannot be enforced";
	}
	return r < 0 ? "its inputSchema could not be compiled" : NULL;
}

static void sha256_hex(crypto_hash_sha256_state *state, char out[TOOL_HEX + 1])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(state, digest);
	text_hex(digest, sizeof(digest), out);
	out[TOOL_HEX] = '\0';
}

static void sha256_add(crypto_hash_sha256_state *state, struct slice s)
{
	crypto_hash_sha256_update(state, (const unsigned char *)s.ptr, s.len);
}

int tools_digest(const struct json *definition, char out[TOOL_HEX + 1])
{
	cleanup_buf struct buf text = BUF_INIT(TOOL_DEFINITION_MAX);
	crypto_hash_sha256_state state;
	int r = json_write(&text, definition);

	if (r < 0)
		return r;
	crypto_hash_sha256_init(&state);
	sha256_add(&state, buf_slice(&text));
	sha256_hex(&state, out);
	return 0;
}

/* The digests of what the agent may see of a tool. */
static int digest(const struct tools *t, struct tool *tool)
{
	cleanup_buf struct buf text = BUF_INIT(TOOL_DEFINITION_MAX);
	crypto_hash_sha256_state definition, pin;
	int r = json_write(&text, tool->definition);

	if (r < 0)
		return r;
	tool->size = text.len;
	crypto_hash_sha256_init(&definition);
	sha256_add(&definition, buf_slice(&text));
	sha256_hex(&definition, tool->digest);
	crypto_hash_sha256_init(&pin);
	sha256_add(&pin, SLICE("{\"code\":\""));
	sha256_add(&pin, slice_of(t->code, TOOL_HEX));
	sha256_add(&pin, SLICE("\",\"definition\":"));
	sha256_add(&pin, buf_slice(&text));
	sha256_add(&pin, SLICE("}"));
	sha256_hex(&pin, tool->pin);
	return 0;
}

bool tools_compile_next(struct tools *t)
{
	struct tool *tool = &t->list[t->compiled];

	if (t->compiled == t->count)
		return false;
	t->compiled++;
	if (t->memory > SCHEMAS_MAX)
		tool->withheld = "its server's schemas take too much memory";
	else
		tool->withheld = compile(&t->arena, tool);
	if (tool->schema)
		t->memory += schema_memory(tool->schema);
	if (digest(t, tool) < 0 && !tool->withheld)
		tool->withheld = "its definition is too large";
	t->definitions += tool->size;
	if (t->definitions > TOOLS_DEFINITIONS_MAX && !tool->withheld)
		tool->withheld = "its server's definitions are too large together";
	if (tool->withheld) {
		schema_free(tool->schema);
		tool->schema = NULL;
	}
	return true;
}

static int add_tool(struct tools *t, const struct json *definition, const char **ret_why)
{
	const struct json *name = json_get_type(definition, SLICE("name"), JSON_STRING);
	struct tool *tool = &t->list[t->count];

	*ret_why = "it defined a tool without a name";
	if (!name || name->text.len == 0 || name->text.len > 256)
		return -EBADMSG;
	*ret_why = "it defined a tool twice";
	if (tools_find(t, name->text))
		return -EBADMSG;
	*tool = (struct tool){ .name = name->text, .definition = visible(&t->arena, definition) };
	*ret_why = "its definitions are too large";
	if (!tool->definition)
		return -EBADMSG;
	t->count++;
	return 0;
}

int tools_add_page(struct tools *t, struct slice packed, const char **ret_why)
{
	struct json page;
	int r;

	*ret_why = "its definitions are malformed or too large";
	if (json_unpack(&t->arena, packed, &json_limits_default, &page) < 0 || page.type != JSON_ARRAY)
		return -EBADMSG;
	*ret_why = "it defined too many tools";
	if (page.count > SERVER_TOOLS_MAX - t->count)
		return -EBADMSG;
	for (uint32_t i = 0; i < page.count; i++) {
		r = add_tool(t, &page.items[i], ret_why);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct tool *tools_find(const struct tools *t, struct slice name)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(t->list[i].name, name))
			return &t->list[i];
	return NULL;
}

bool tools_equal(const struct tools *a, const struct tools *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!json_equal(a->list[i].definition, b->list[i].definition))
			return false;
	return true;
}

int tools_pack_granted(const struct tools *t, const struct policy *policy, struct slice agent, struct slice server, struct buf *out)
{
	cleanup_arena struct arena arena = ARENA_INIT(SERVER_TOOLS_MAX * sizeof(struct json) + 4096);
	struct json all = { .type = JSON_ARRAY, .items = arena_array(&arena, t->count, sizeof(struct json)) };

	if (!all.items)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++)
		if (tool_usable(&t->list[i]) && policy_grants(policy, agent, server, t->list[i].name))
			all.items[all.count++] = *t->list[i].definition;
	return json_pack(out, &all);
}
