#include <stdlib.h>

#include "gateway/gateway.h"

/* A string or number that outlives the line it came in. */
static bool own(struct json *out, const struct json *in)
{
	char *text;

	if (!in) {
		out->type = JSON_NULL;
		return true;
	}
	text = malloc(in->text.len ? in->text.len : 1);
	if (!text)
		return false;
	if (in->text.len)
		memcpy(text, in->text.ptr, in->text.len);
	*out = (struct json){ .type = in->type, .text = slice_of(text, in->text.len) };
	return true;
}

static void disown(struct json *v)
{
	if (v->type != JSON_NULL)
		free((void *)(uintptr_t)v->text.ptr);
}

struct pending *pending_new(const struct json *id, const struct json *progress)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p && own(&p->id, id) && own(&p->progress, progress))
		return p;
	pending_free(p);
	return NULL;
}

void pending_free(struct pending *p)
{
	if (!p)
		return;
	disown(&p->id);
	disown(&p->progress);
	free(p);
}

struct pending *calls_add(struct gateway *g, const struct json *id, const struct json *progress)
{
	struct pending *p = pending_new(id, progress);

	if (!p)
		return NULL;
	p->call = g->next_call++;
	p->next = g->calls;
	g->calls = p;
	g->call_count++;
	pace(g);
	return p;
}

struct pending *calls_find(const struct gateway *g, uint64_t call)
{
	for (struct pending *p = g->calls; p; p = p->next)
		if (p->call == call)
			return p;
	return NULL;
}

struct pending *calls_find_id(const struct gateway *g, const struct json *id)
{
	for (struct pending *p = g->calls; p; p = p->next)
		if (jsonrpc_id_equal(&p->id, id))
			return p;
	return NULL;
}

void calls_remove(struct gateway *g, struct pending *gone)
{
	for (struct pending **at = &g->calls; *at; at = &(*at)->next)
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	g->call_count--;
	calls_decided(g, gone);
	pending_free(gone);
	pace(g);
}

void calls_decided(struct gateway *g, struct pending *p)
{
	g->undecided -= p->undecided;
	p->undecided = 0;
}
