#include "auditlog/frame.h"

#include "auditlog/crc32c.h"

void put_u32(uint8_t *out, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(n >> 8 * i);
}

uint32_t get_u32(const void *bytes)
{
	const uint8_t *p = bytes;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int frame_add(struct buf *out, enum frame_kind kind, struct slice first, struct slice second)
{
	uint8_t header[FRAME_HEADER];
	uint32_t crc;
	int r;

	header[8] = (uint8_t)kind;
	crc = crc32c(0, slice_of(header + 8, 1));
	crc = crc32c(crc32c(crc, first), second);
	put_u32(header, (uint32_t)(first.len + second.len));
	put_u32(header + 4, crc);
	r = buf_reserve(out, sizeof(header) + first.len + second.len);
	if (r < 0)
		return r;
	buf_add(out, header, sizeof(header));
	buf_add_slice(out, first);
	return buf_add_slice(out, second);
}

static bool possible(uint8_t kind, size_t len)
{
	if (kind == FRAME_ENTRY)
		return len >= 2 && len <= FRAME_ENTRY_MAX;
	if (kind == FRAME_ARGUMENTS || kind == FRAME_ERASED)
		return len > FRAME_NONCE && len <= FRAME_ARGUMENTS_MAX;
	return false;
}

enum frame_state frame_read(struct slice bytes, struct frame *ret_frame)
{
	size_t len;
	uint8_t kind;

	*ret_frame = (struct frame){ 0 };
	if (bytes.len < FRAME_HEADER)
		return FRAME_SHORT;
	len = get_u32(bytes.ptr);
	kind = (uint8_t)bytes.ptr[8];
	if (!possible(kind, len))
		return FRAME_FORM;
	ret_frame->kind = (enum frame_kind)kind;
	ret_frame->size = FRAME_HEADER + len;
	if (bytes.len < ret_frame->size)
		return FRAME_SHORT;
	ret_frame->payload = slice_of(bytes.ptr + FRAME_HEADER, len);
	if (crc32c(0, slice_of(bytes.ptr + 8, 1 + len)) != get_u32(bytes.ptr + 4))
		return FRAME_CRC;
	return FRAME_OK;
}
