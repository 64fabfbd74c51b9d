/*
 * mcp-echo: the smallest MCP server that a benchmark needs, so that what is measured is the way to it. Answers initialize, ping,
 * tools/list and tools/call (tool "echo", which gives back "ok" and as many bytes as its argument `bytes` says). Not a general
 * server: it looks for the members of a message by their text, which the clients and proxies measured here write without spaces.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8 << 20, PAYLOAD_MAX = 1 << 20 };

static char payload[PAYLOAD_MAX + 1];

static void answer(const char *id, size_t id_len, const char *result)
{
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}\n", (int)id_len, id, result);
}

/* The value of "id", as it was written; false for a notification. */
static bool find_id(const char *line, const char **ret_id, size_t *ret_len)
{
	const char *at = strstr(line, "\"id\":");

	if (!at)
		return false;
	*ret_id = at + strlen("\"id\":");
	*ret_len = **ret_id == '"' ? strcspn(*ret_id + 1, "\"") + 2 : strcspn(*ret_id, ",}");
	return true;
}

static void answer_call(const char *line, const char *id, size_t id_len)
{
	const char *at = strstr(line, "\"bytes\":");
	size_t bytes = at ? strtoul(at + strlen("\"bytes\":"), NULL, 10) : 0;

	if (bytes > PAYLOAD_MAX)
		bytes = PAYLOAD_MAX;
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok%.*s\"}]}}\n", (int)id_len, id, (int)bytes,
	       payload);
}

static void take(const char *line)
{
	const char *id;
	size_t id_len;

	if (!find_id(line, &id, &id_len))
		return;
	if (strstr(line, "\"method\":\"tools/call\""))
		answer_call(line, id, id_len);
	else if (strstr(line, "\"method\":\"initialize\""))
		answer(id, id_len, "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"mcp-echo\",\"version\":\"1\"}}");
	else if (strstr(line, "\"method\":\"tools/list\""))
		answer(id, id_len,
		       "{\"tools\":[{\"name\":\"echo\",\"description\":\"Answers.\",\"inputSchema\":{\"type\":\"object\",\"properties\":"
		       "{\"text\":{\"type\":\"string\"},\"bytes\":{\"type\":\"integer\"}},\"required\":[\"text\"],\"additionalProperties\":false}}]}");
	else
		answer(id, id_len, "{}");
	fflush(stdout);
}

int main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	static char out[1 << 16];

	memset(payload, 'x', PAYLOAD_MAX);
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	while ((len = getline(&line, &cap, stdin)) > 0 && len < LINE_MAX_BYTES)
		take(line);
	free(line);
	return 0;
}
