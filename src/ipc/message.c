#include "ipc/message.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"

enum field_kind { FIELD_END, FIELD_U8, FIELD_U32, FIELD_U64, FIELD_TEXT, FIELD_BYTES, FIELD_LIST, FIELD_FD };

struct field {
	enum field_kind kind;
	size_t offset; /* in the message's struct */
	size_t max;    /* bytes */
	size_t items;  /* lists */
};

/* One table of fields for each message, in the order in which they travel. */
#define U8(name) { FIELD_U8, offsetof(this_message, name), 1, 0 },
#define U32(name) { FIELD_U32, offsetof(this_message, name), 4, 0 },
#define U64(name) { FIELD_U64, offsetof(this_message, name), 8, 0 },
#define TEXT(name, maximum) { FIELD_TEXT, offsetof(this_message, name), maximum, 0 },
#define BYTES(name, maximum) { FIELD_BYTES, offsetof(this_message, name), maximum, 0 },
#define LIST(name, count, maximum) { FIELD_LIST, offsetof(this_message, name), maximum, count },
#define FD(name) { FIELD_FD, offsetof(this_message, name), 0, 0 },
#define MESSAGE(name, senders, receivers, phases, often, ...)                                                                      \
	static const struct field *fields_##name(void)                                                                             \
	{                                                                                                                          \
		typedef struct msg_##name this_message;                                                                            \
		static const struct field fields[] = { __VA_ARGS__{ FIELD_END, sizeof(this_message), 0, 0 } };                     \
		return fields;                                                                                                     \
	}
#include "ipc/messages.tbl.h"
#undef MESSAGE
#undef U8
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef LIST
#undef FD

/* The longest encoding, added up when compiled: each variable field has a length of four bytes before it. */
#define U8(name) +1
#define U32(name) +4
#define U64(name) +8
#define TEXT(name, maximum) +4 + maximum
#define BYTES(name, maximum) +4 + maximum
#define LIST(name, count, maximum) +8 + 4 * count + maximum
#define FD(name)

#define INIT (1U << PROCESS_INIT)
#define LAUNCHER (1U << PROCESS_LAUNCHER)
#define GATEWAY (1U << PROCESS_GATEWAY)
#define JUDGE (1U << PROCESS_JUDGE)
#define AUDIT (1U << PROCESS_AUDIT)
#define STORE (1U << PROCESS_STORE)
#define CONSOLE (1U << PROCESS_CONSOLE)
#define CLI (1U << PROCESS_CLI)
#define SETUP PHASE_SETUP
#define SERVING PHASE_SERVING
#define ONCE true
#define MANY false

static const struct {
	struct message_rule rule;
	const struct field *(*fields)(void);
} messages[MESSAGE_COUNT] = {
#define MESSAGE(message, from, to, when, often, ...)                                                                               \
	[MSG_##message] = { { .name = #message,                                                                                    \
			      .senders = from,                                                                                     \
			      .receivers = to,                                                                                     \
			      .phases = when,                                                                                      \
			      .once = often,                                                                                       \
			      .max = 0 __VA_ARGS__ },                                                                              \
			    fields_##message },
#include "ipc/messages.tbl.h"
#undef MESSAGE
};

const char *process_name(enum process process)
{
	static const char *const names[PROCESS_COUNT] = {
		[PROCESS_INIT] = "init",   [PROCESS_LAUNCHER] = "launcher", [PROCESS_GATEWAY] = "gateway", [PROCESS_JUDGE] = "judge",
		[PROCESS_AUDIT] = "audit", [PROCESS_STORE] = "store", [PROCESS_CONSOLE] = "console",   [PROCESS_CLI] = "cli",
	};

	return process < PROCESS_COUNT ? names[process] : "nobody";
}

const struct message_rule *message_rule(enum message_type type)
{
	return type < MESSAGE_COUNT ? &messages[type].rule : NULL;
}

static bool is_text(struct slice s)
{
	return utf8_valid(s) && (s.len == 0 || !memchr(s.ptr, '\0', s.len));
}

static int put_int(struct buf *out, uint64_t n, size_t size)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(n >> (8 * i));
	return buf_add(out, bytes, size);
}

static uint64_t get_int(const char *bytes, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
	return n;
}

static int put_slice(struct buf *out, const struct field *f, struct slice s)
{
	int r;

	if (s.len > f->max)
		return -EMSGSIZE;
	if (f->kind == FIELD_TEXT && !is_text(s))
		return -EINVAL;
	r = put_int(out, s.len, 4);
	return r < 0 ? r : buf_add_slice(out, s);
}

/* Checks that `list` is `count` texts and nothing else: 0, -EINVAL, or -EMSGSIZE when there is too much of it. */
static int list_check(const struct message_list *list, const struct field *f)
{
	struct slice item;
	size_t at = 0, text = 0;
	uint32_t count = 0;

	while (message_list_next(list, &at, &item)) {
		text += item.len;
		if (++count > f->items || text > f->max)
			return -EMSGSIZE;
		if (!is_text(item))
			return -EINVAL;
	}
	return at == list->bytes.len && count == list->count ? 0 : -EINVAL;
}

static int put_list(struct buf *out, const struct field *f, const struct message_list *list)
{
	int r = list_check(list, f);

	if (r == 0)
		r = put_int(out, list->count, 4);
	if (r == 0)
		r = put_int(out, list->bytes.len, 4);
	return r < 0 ? r : buf_add_slice(out, list->bytes);
}

static int put_field(struct buf *out, const struct field *f, const void *msg, int *fds, size_t *fd_count)
{
	const char *at = (const char *)msg + f->offset;

	switch (f->kind) {
	case FIELD_U8:
		return put_int(out, *(const uint8_t *)at, 1);
	case FIELD_U32:
		return put_int(out, *(const uint32_t *)(const void *)at, 4);
	case FIELD_U64:
		return put_int(out, *(const uint64_t *)(const void *)at, 8);
	case FIELD_TEXT:
	case FIELD_BYTES:
		return put_slice(out, f, *(const struct slice *)(const void *)at);
	case FIELD_LIST:
		return put_list(out, f, (const void *)at);
	case FIELD_FD:
		if (*(const int *)(const void *)at < 0)
			return -EBADF;
		fds[(*fd_count)++] = *(const int *)(const void *)at;
		return 0;
	case FIELD_END:
		break;
	}
	return -EINVAL;
}

int message_encode(enum message_type type, const void *msg, struct buf *out, int fds[MESSAGE_FDS_MAX], size_t *ret_fd_count)
{
	size_t start = out->len, fd_count = 0;

	for (const struct field *f = messages[type].fields(); f->kind != FIELD_END; f++) {
		int r = put_field(out, f, msg, fds, &fd_count);

		if (r < 0) {
			out->len = start;
			return r;
		}
	}
	*ret_fd_count = fd_count;
	return 0;
}

/* Takes `len` bytes off the front; NULL when fewer are left. */
static const char *take(struct slice *bytes, size_t len)
{
	const char *ptr = bytes->ptr;

	if (bytes->len < len)
		return NULL;
	bytes->ptr += len;
	bytes->len -= len;
	return ptr;
}

static const char *get_slice(struct slice *bytes, const struct field *f, struct slice *out)
{
	const char *p = take(bytes, 4);
	size_t len;

	if (!p)
		return "a field is missing";
	len = (size_t)get_int(p, 4);
	if (len > f->max)
		return "a field is over its maximum";
	p = take(bytes, len);
	if (!p)
		return "a field is cut short";
	*out = slice_of(p, len);
	if (f->kind == FIELD_TEXT && !is_text(*out))
		return "a text is not UTF-8 or holds NUL";
	return NULL;
}

static const char *get_list(struct slice *bytes, const struct field *f, struct message_list *out)
{
	const char *p = take(bytes, 4);
	struct field raw = { FIELD_BYTES, 0, f->max + 4 * f->items, 0 };
	const char *why;

	if (!p)
		return "a field is missing";
	out->count = (uint32_t)get_int(p, 4);
	why = get_slice(bytes, &raw, &out->bytes);
	if (!why && list_check(out, f) < 0)
		why = "a list is malformed";
	return why;
}

static const char *get_field(struct slice *bytes, const struct field *f, void *msg, const int *fds, size_t fd_count, size_t *fd_at)
{
	static const size_t sizes[] = { [FIELD_U8] = 1, [FIELD_U32] = 4, [FIELD_U64] = 8 };
	char *at = (char *)msg + f->offset;
	const char *p;

	switch (f->kind) {
	case FIELD_U8:
	case FIELD_U32:
	case FIELD_U64:
		p = take(bytes, sizes[f->kind]);
		if (!p)
			return "a field is missing";
		/* The struct's members have the same sizes, and this is a little-endian machine (checked in channel.c). */
		memcpy(at, p, sizes[f->kind]);
		return NULL;
	case FIELD_TEXT:
	case FIELD_BYTES:
		return get_slice(bytes, f, (struct slice *)(void *)at);
	case FIELD_LIST:
		return get_list(bytes, f, (struct message_list *)(void *)at);
	case FIELD_FD:
		if (*fd_at == fd_count)
			return "a descriptor is missing";
		*(int *)(void *)at = fds[(*fd_at)++];
		return NULL;
	case FIELD_END:
		break;
	}
	return "unknown field";
}

int message_decode(enum message_type type, struct slice bytes, const int *fds, size_t fd_count, struct message *ret_message,
		   const char **ret_why)
{
	struct message m = { .type = type };
	const char *why = NULL;
	size_t fd_at = 0;

	if (type >= MESSAGE_COUNT)
		why = "no such message";
	else
		for (const struct field *f = messages[type].fields(); !why && f->kind != FIELD_END; f++)
			why = get_field(&bytes, f, &m.ready, fds, fd_count, &fd_at);
	if (!why && bytes.len)
		why = "bytes are left over";
	if (!why && fd_at != fd_count)
		why = "too many descriptors";
	if (why) {
		*ret_why = why;
		return -EBADMSG;
	}
	*ret_message = m;
	return 0;
}

void message_clear(struct message *message)
{
	for (const struct field *f = messages[message->type].fields(); f->kind != FIELD_END; f++)
		if (f->kind == FIELD_FD)
			fd_close((int *)(void *)((char *)&message->ready + f->offset));
}

bool message_list_next(const struct message_list *list, size_t *at, struct slice *ret_item)
{
	size_t left = list->bytes.len - *at, len;

	if (left < 4)
		return false;
	len = (size_t)get_int(list->bytes.ptr + *at, 4);
	if (left - 4 < len)
		return false;
	*ret_item = slice_of(list->bytes.ptr + *at + 4, len);
	*at += 4 + len;
	return true;
}

int message_list_make(char *const *strings, struct buf *out, struct message_list *ret_list)
{
	size_t start = out->len;
	uint32_t count = 0;

	for (; strings && *strings; strings++, count++) {
		struct slice s = slice_str(*strings);
		int r = put_int(out, s.len, 4);

		if (r == 0)
			r = buf_add_slice(out, s);
		if (r < 0)
			return r;
	}
	/* Of no strings at all, `out` may have no memory yet to point into. */
	*ret_list = (struct message_list){ .count = count, .bytes = slice_of(count ? out->ptr + start : NULL, out->len - start) };
	return 0;
}
