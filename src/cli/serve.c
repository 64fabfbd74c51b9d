#include <fcntl.h>

#include "cli/place.h"

int cli_serve(const struct cli_args *args)
{
	struct init_options options;
	struct place place;
	uint64_t linger, ready;
	int r = place_find(args, NULL, &place);

	if (r == CLI_OK)
		r = cli_number(args, OPTION_linger, 1, 86400, 0, &linger);
	if (r == CLI_OK)
		r = cli_number(args, OPTION_ready_fd, 3, 1000000, 0, &ready);
	if (r == CLI_OK)
		r = place_make(&place);
	if (r != CLI_OK)
		return r;
	options = place_options(&place);
	options.linger = (unsigned)linger;
	if (ready) {
		options.ready_fd = (int)ready;
		if (fcntl(options.ready_fd, F_SETFD, FD_CLOEXEC) < 0)
			return cli_error(CLI_USAGE, "--ready-fd: descriptor %d is not open", options.ready_fd);
	}
	return init_main(&options);
}
