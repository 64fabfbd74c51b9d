/* What a server says its tools are: taken in page by page, checked, and compiled. All of it is a stranger's text. */
#pragma once

#include "ipc/wire.h"
#include "judge/server.h"

enum {
	TOOL_DEFINITION_MAX = 1024 * 1024,       /* bytes of a tool's canonical definition: it is kept, and shown to people */
	TOOLS_DEFINITIONS_MAX = 8 * 1024 * 1024, /* and of all of a server's together */
};

struct tools {
	struct arena arena; /* holds the definitions */
	struct tool list[SERVER_TOOLS_MAX];
	size_t count, compiled;
	size_t memory; /* bytes of the schemas */
	char code[TOOL_HEX + 1]; /* of the server that defines them */
	size_t definitions;      /* bytes, canonical */
	uint64_t settled;        /* pins.c: under which generation of what it knows their states were settled; 0: never */
};

/* `code`: the 32 bytes of the digest of the server's code. NULL when there is no memory. */
struct tools *tools_new(const uint8_t *code);
void tools_free(struct tools *tools);

/*
 * Takes one page (packed array of definitions). Each tool then has to be compiled before it is found. 0; -EBADMSG with a printable
 * reason when the server may not go on.
 */
int tools_add_page(struct tools *tools, struct slice packed, const char **ret_why);

/* Compiles the next tool that is not compiled yet; a stranger's schema can take a while. False when there is none. */
bool tools_compile_next(struct tools *tools);

/* The digest of a definition, hex and NUL-terminated. 0 or a buf error. */
int tools_digest(const struct json *definition, char out[TOOL_HEX + 1]);

/* May it be listed and called, as far as the tool itself goes? */
static inline bool tool_usable(const struct tool *tool)
{
	return tool && tool->schema && tool->state == TOOL_ACCEPTED;
}

const struct tool *tools_find(const struct tools *tools, struct slice name);

/* Equal names and definitions, in the same order. */
bool tools_equal(const struct tools *a, const struct tools *b);

/* Packs the definitions that this agent may see into `out`. 0 or a buf error. */
int tools_pack_granted(const struct tools *tools, const struct policy *policy, struct slice agent, struct slice server, struct buf *out);
