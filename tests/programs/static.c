/* SPDX-License-Identifier: MIT */
/* A program without shared libraries: makes, writes, maps, lists and removes files where it stands. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[100];
	size_t n = 0, i;
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		printf("%s: %s\n", path, strerror(errno));
		return;
	}
	while ((entry = readdir(dir)) && n < 100)
		names[n++] = strdup(entry->d_name);
	closedir(dir);
	qsort(names, n, sizeof(names[0]), by_name);
	for (i = 0; i < n; i++)
		printf("%s%c", names[i], i + 1 == n ? '\n' : ' ');
}

int main(void)
{
	char text[32] = "";
	struct iovec pieces[2] = {{"in two ", 7}, {"pieces", 6}};
	struct stat st;
	FILE *file;
	char *map;
	int fd;

	mkdir("made", 0755);
	fd = open("made/file", O_RDWR | O_CREAT | O_EXCL, 0640);
	printf("%zd", writev(fd, pieces, 2));
	printf(" %zd", pread(fd, text, sizeof(text), 3));
	printf(" '%s'\n", text);
	ftruncate(fd, 10000);
	map = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(map + 5000, "mapped", 6);
	munmap(map, 10000);
	close(fd);
	stat("made/file", &st);
	printf("%ld %o\n", (long)st.st_size, (unsigned)st.st_mode);
	file = fopen("made/stream", "w");
	fprintf(file, "a line of %d\n", 42);
	fclose(file);
	rename("made/stream", "made/renamed");
	symlink("renamed", "made/link");
	list("made");
	list("nowhere");
	unlink("made/link");
	return rmdir("made") == 0 ? 0 : 9;
}
