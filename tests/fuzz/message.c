/* One message: the first byte is its type, the second how many descriptors come with it, the rest its encoding. */
#include <stdlib.h>

#include "ipc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Numbers that no descriptor of this process has, so that closing them harms nobody. */
static const int descriptors[MESSAGE_FDS_MAX + 1] = { 1000000, 1000001, 1000002, 1000003 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void walk(const struct message_list *list)
{
	struct slice item;
	size_t at = 0;
	uint32_t count = 0;

	while (message_list_next(list, &at, &item))
		count++;
	must(count == list->count && at == list->bytes.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf out = BUF_INIT(16 * 1024 * 1024);
	struct message m;
	const char *why = NULL;
	int fds[MESSAGE_FDS_MAX];
	size_t fd_count;
	struct slice bytes;

	if (size < 2)
		return 0;
	fd_count = data[1] % (MESSAGE_FDS_MAX + 2);
	bytes = slice_of(data + 2, size - 2);
	if (message_decode((enum message_type)data[0], bytes, descriptors, fd_count, &m, &why) < 0) {
		must(why != NULL);
		return 0;
	}
	must(bytes.len <= message_rule(m.type)->max);
	if (m.type == MSG_sandbox_start) {
		walk(&m.sandbox_start.command);
		walk(&m.sandbox_start.environment);
	}
	/* There is one encoding: what was read is what is written. */
	fd_count = 0;
	must(message_encode(m.type, &m.ready, &out, fds, &fd_count) == 0);
	must(slice_eq(buf_slice(&out), bytes) && fd_count == data[1] % (MESSAGE_FDS_MAX + 2));
	message_clear(&m);
	return 0;
}
