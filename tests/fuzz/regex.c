/* regex_compile on any pattern and regex_match on any string: bounded work, and the grammar decides the same twice. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "parse/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
	if (!held)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *cut = size ? memchr(data, '\n', size) : NULL;
	size_t half = cut ? (size_t)(cut - (const char *)data) : size / 2;
	struct slice pattern = slice_of(data, half), subject = slice_of(data + half, size - half);
	struct regex_family *family;
	struct regex *regex;
	const char *fault = NULL;
	uint64_t budget = 100000;
	int r;

	if (!utf8_valid(pattern) || regex_family_new((size_t)4 << 20, &family))
		return 0;
	r = regex_compile(family, pattern, &regex, &fault);
	require(r == 0 || r == -EINVAL || r == -ENOMEM);
	require(r != -EINVAL || fault);
	require(r != 0 || regex_valid(pattern));
	if (r == 0) {
		r = regex_match(regex, subject, &budget);
		require(r == 0 || r == -ENOENT || r == -E2BIG || (r == -EINVAL && !utf8_valid(subject)));
	}
	regex_family_free(family);
	return 0;
}
