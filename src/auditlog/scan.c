#include "auditlog/scan.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 256 << 10 };

ssize_t read_at(int fd, void *bytes, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int scan_check_magic(int fd)
{
	char magic[FRAME_MAGIC_LEN];
	ssize_t n = read_at(fd, magic, sizeof(magic), 0);

	if (n < 0)
		return (int)n;
	return n == sizeof(magic) && memcmp(magic, FRAME_MAGIC, sizeof(magic)) == 0 ? 0 : -EBADMSG;
}

int scan_extend(struct scan *scan)
{
	struct stat st;

	if (fstat(scan->fd, &st) < 0)
		return -errno;
	scan->end = (uint64_t)st.st_size;
	scan->window.len = 0;
	return 0;
}

int scan_begin(struct scan *scan, int fd, uint64_t offset)
{
	*scan = (struct scan){ .fd = fd, .offset = offset, .window = BUF_INIT(FRAME_RECORD_MAX) };
	return scan_extend(scan);
}

void scan_free(struct scan *scan)
{
	buf_free(&scan->window);
}

void scan_seek(struct scan *scan, uint64_t offset)
{
	scan->offset = offset;
}

/*
 * Makes the bytes from `at` on available, `want` of them or all up to the end. The window is always refilled from `at`, so asking for more at the
 * same place keeps what was there.
 */
static int fill(struct scan *scan, uint64_t at, size_t want, struct slice *ret_bytes)
{
	uint64_t left = at < scan->end ? scan->end - at : 0;
	size_t skip;

	if (want > left)
		want = (size_t)left;
	if (at < scan->window_offset || at + want > scan->window_offset + scan->window.len) {
		size_t size = want > WINDOW ? want : WINDOW;
		ssize_t n;
		int r;

		if (size > left)
			size = (size_t)left;
		scan->window.len = 0;
		r = buf_reserve(&scan->window, size);
		if (r < 0)
			return r;
		n = read_at(scan->fd, scan->window.ptr, size, at);
		if (n < 0)
			return (int)n;
		scan->window.len = (size_t)n;
		scan->window_offset = at;
		if ((size_t)n < size)
			scan->end = at + (uint64_t)n; /* the file has become shorter since: a writer took back what did not fit */
	}
	skip = (size_t)(at - scan->window_offset);
	*ret_bytes = slice_of(scan->window.ptr + skip, scan->window.len - skip);
	return 0;
}

/* The frame that begins `skip` bytes into the record at scan->offset. */
static int frame_at(struct scan *scan, size_t skip, struct frame *ret_frame, enum frame_state *ret_state)
{
	struct slice bytes;
	int r = fill(scan, scan->offset, skip + FRAME_HEADER, &bytes);

	if (r < 0)
		return r;
	*ret_state = bytes.len < skip ? FRAME_SHORT : frame_read(slice_of(bytes.ptr + skip, bytes.len - skip), ret_frame);
	if (*ret_state == FRAME_SHORT && bytes.len >= skip && ret_frame->size) {
		r = fill(scan, scan->offset, skip + ret_frame->size, &bytes);
		if (r < 0)
			return r;
		*ret_state = bytes.len < skip ? FRAME_SHORT : frame_read(slice_of(bytes.ptr + skip, bytes.len - skip), ret_frame);
	}
	return 0;
}

static void fault(struct record *record, uint64_t skip, const char *what)
{
	if (record->fault)
		return;
	record->fault = what;
	record->fault_offset = record->offset + skip;
}

/* Notes what is wrong with the frame: 0 when the record can still be followed, else as scan_next. */
static int judge(struct record *record, enum frame_state state, size_t skip)
{
	switch (state) {
	case FRAME_OK:
		return 0;
	case FRAME_CRC:
		fault(record, skip, "does not match its checksum");
		return 0;
	case FRAME_SHORT:
		record->fault = NULL;
		fault(record, skip, "runs past the end of the file");
		return -ENODATA;
	case FRAME_FORM:
		break;
	}
	record->fault = NULL;
	fault(record, skip, "has a length or a kind that no frame has");
	return -EBADMSG;
}

static bool all_zero(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i])
			return false;
	return true;
}

/* Takes what an 'A' or 'X' frame holds. */
static void take_arguments(struct record *record, enum frame_kind kind, struct slice payload)
{
	record->arguments_len = payload.len - FRAME_NONCE;
	record->erased = kind == FRAME_ERASED;
	if (record->erased) {
		if (!all_zero(payload))
			fault(record, 0, "is marked as erased and is not");
		return;
	}
	record->nonce = slice_of(payload.ptr, FRAME_NONCE);
	record->arguments = slice_of(payload.ptr + FRAME_NONCE, record->arguments_len);
}

int scan_next(struct scan *scan, struct record *ret_record)
{
	struct record record = { .offset = scan->offset };
	enum frame_state state;
	struct frame frame, first;
	size_t skip = 0;
	int r;

	if (scan->offset >= scan->end)
		return 0;
	r = frame_at(scan, 0, &first, &state);
	if (r == 0)
		r = judge(&record, state, 0);
	frame = first;
	if (r == 0 && first.kind != FRAME_ENTRY) {
		skip = first.size;
		r = frame_at(scan, skip, &frame, &state);
		if (r == 0)
			r = judge(&record, state, skip);
		if (r == 0 && frame.kind != FRAME_ENTRY) {
			fault(&record, 0, "holds arguments without their entry");
			r = -EBADMSG;
		}
	}
	record.size = r == 0 ? skip + frame.size : scan->end - scan->offset;
	if (r == 0) {
		/* The window may have moved under the first frame: its payload lies just before the second. */
		if (skip)
			take_arguments(&record, first.kind, slice_of(frame.payload.ptr - skip, skip - FRAME_HEADER));
		record.entry = frame.payload;
		scan->offset += record.size;
		r = 1;
	}
	*ret_record = record;
	return r;
}

int scan_count_lost(int fd, uint64_t offset, uint64_t *ret_entries)
{
	/* Each byte is tried as the beginning of a frame. JSON has no zero bytes and erased arguments have no other, so a header is hardly ever
	 * met inside a frame; the budget keeps made-up bytes from making this long. */
	uint64_t budget = 256 << 20, entries = 0;
	struct scan scan;
	int r = scan_begin(&scan, fd, offset);

	while (r == 0 && scan.offset < scan.end) {
		enum frame_state state;
		struct frame frame = { 0 };

		r = frame_at(&scan, 0, &frame, &state);
		if (r < 0)
			break;
		if (frame.size > budget)
			break;
		budget -= frame.size;
		entries += state == FRAME_OK && frame.kind == FRAME_ENTRY;
		scan.offset += state == FRAME_OK ? frame.size : 1;
	}
	scan_free(&scan);
	if (r == 0)
		*ret_entries = entries;
	return r;
}
