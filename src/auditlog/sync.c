/* Syncing and signing, in a thread of their own or at once. */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "auditlog/state.h"
#include "base/cleanup.h"

/* Syncs the log; *ret_frontier is what is on the disk then. A failed sync is for good: the kernel may have dropped the pages. */
static int sync_log(struct auditlog *log, struct frontier *ret_frontier)
{
	struct frontier frontier;
	bool news;
	int r;

	pthread_mutex_lock(&log->lock);
	frontier = (struct frontier){ .tree = log->tree, .offset = log->end };
	r = log->progress.sync_error;
	news = frontier.tree.size != log->progress.durable;
	pthread_mutex_unlock(&log->lock);
	if (r == 0 && news)
		r = sync_fd(log, log->fd);
	pthread_mutex_lock(&log->lock);
	if (r < 0)
		log->progress.sync_error = r;
	else
		log->progress.durable = frontier.tree.size;
	pthread_mutex_unlock(&log->lock);
	if (r == 0)
		*ret_frontier = frontier;
	return r;
}

/* Now and then, since opening reads what comes after it anyway. A missing one costs the next opening time, nothing else. */
static void save_frontier(struct auditlog *log, const struct frontier *frontier)
{
	uint64_t step = log->options.frontier_bytes ? log->options.frontier_bytes : AUDITLOG_FRONTIER_BYTES;

	if (frontier->offset - log->frontier_offset >= step && folder_save_frontier(log->dir_fd, frontier) == 0)
		log->frontier_offset = frontier->offset;
}

/* Signs for what is on the disk. */
static int sign(struct auditlog *log, const struct frontier *frontier)
{
	struct checkpoint checkpoint = { .size = frontier->tree.size };
	bool lost, done;
	int r;

	pthread_mutex_lock(&log->lock);
	done = log->progress.checkpoint == checkpoint.size && log->progress.checkpoint_error == 0;
	pthread_mutex_unlock(&log->lock);
	if (done)
		return 0;
	merkle_root(&frontier->tree, checkpoint.root);
	r = folder_add_checkpoint(log, &checkpoint, &lost);
	if (r == 0)
		save_frontier(log, frontier);
	pthread_mutex_lock(&log->lock);
	log->progress.checkpoint_error = r;
	if (r == 0)
		log->progress.checkpoint = checkpoint.size;
	if (lost)
		log->progress.sync_error = r;
	pthread_mutex_unlock(&log->lock);
	return r;
}

int auditlog_sync(struct auditlog *log)
{
	struct frontier frontier;

	return sync_log(log, &frontier);
}

int auditlog_checkpoint(struct auditlog *log)
{
	struct frontier frontier;
	int r = sync_log(log, &frontier);

	return r < 0 ? r : sign(log, &frontier);
}

static void signal_progress(struct auditlog *log)
{
	uint64_t one = 1;
	ssize_t n;

	/* It can only fail when the counter is full, and then the descriptor is readable anyway. */
	do
		n = write(log->event_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

static void *syncing_thread(void *arg)
{
	struct auditlog *log = arg;

	pthread_mutex_lock(&log->lock);
	for (;;) {
		struct frontier frontier;
		bool checkpoint;

		while (!log->want_sync && !log->want_checkpoint && !log->stopping)
			pthread_cond_wait(&log->wake, &log->lock);
		if (!log->want_sync && !log->want_checkpoint)
			break;
		checkpoint = log->want_checkpoint;
		log->want_sync = log->want_checkpoint = false;
		pthread_mutex_unlock(&log->lock);
		if (sync_log(log, &frontier) == 0 && checkpoint) {
			/* Whoever waits for the sync need not wait for the signature. */
			signal_progress(log);
			sign(log, &frontier);
		}
		signal_progress(log);
		pthread_mutex_lock(&log->lock);
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

int auditlog_start(struct auditlog *log, int *ret_event_fd)
{
	sigset_t all, before;
	int r;

	log->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (log->event_fd < 0)
		return -errno;
	/* Signals are the business of the thread that runs the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&log->thread, NULL, syncing_thread, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		fd_close(&log->event_fd);
		return -r;
	}
	log->running = true;
	*ret_event_fd = log->event_fd;
	return 0;
}

static void want(struct auditlog *log, bool *what)
{
	pthread_mutex_lock(&log->lock);
	*what = true;
	pthread_cond_signal(&log->wake);
	pthread_mutex_unlock(&log->lock);
}

void auditlog_want_sync(struct auditlog *log)
{
	want(log, &log->want_sync);
}

void auditlog_want_checkpoint(struct auditlog *log)
{
	want(log, &log->want_checkpoint);
}

void auditlog_progress(struct auditlog *log, struct auditlog_progress *ret_progress)
{
	uint64_t count;

	/* Cleared first: what happens after is told by another event. */
	if (log->event_fd >= 0)
		while (read(log->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
			;
	pthread_mutex_lock(&log->lock);
	*ret_progress = log->progress;
	pthread_mutex_unlock(&log->lock);
}

void auditlog_stop(struct auditlog *log)
{
	if (!log->running)
		return;
	want(log, &log->stopping);
	pthread_join(log->thread, NULL);
	log->running = log->stopping = false;
	fd_close(&log->event_fd);
}
