/* stamp is the tiny static program that every supervisor is given: it appends
 * the time at which it runs (CLOCK_MONOTONIC, ns) and its pid to a file, in
 * one write, and waits to be killed. the file is $STAMP, else its argument. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec t;
	char line[64];
	const char *path = getenv("STAMP"); /* s6 gives its run an argument */

	if (path == NULL && argc > 1)
		path = argv[1];

	clock_gettime(CLOCK_MONOTONIC, &t);
	int n = snprintf(line, sizeof line, "%ld%09ld %d\n", (long)t.tv_sec, t.tv_nsec, (int)getpid());
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
	if (fd < 0 || write(fd, line, n) != n)
		return 111;
	close(fd);
	for (;;)
		pause();
}
