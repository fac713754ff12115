/* SPDX-License-Identifier: MIT */
/*
 * The accept/read/close server of AEM's talk, with another include: an echo server in three handlers. The main program has
 * nothing to do and does nothing.
 *
 *   farcall-aem-echo [PORT]
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <farcall/aem.h>

static void read_handler(int ed, int sock, char *data, int bytes)
{
	(void)ed;
	if (bytes > 0 && write(sock, data, (size_t)bytes) != bytes)
		perror("write");
}

static void close_handler(int ed, int sock, int error)
{
	(void)ed;
	(void)error;
	close(sock);
}

static void accept_handler(int ed, int sock, int new_sock)
{
	(void)ed;
	(void)sock;
	if (new_sock < 0 || sockasync_read(new_sock, 0, read_handler, 0) < 0 ||
	    sockasync_close(new_sock, close_handler, 0) < 0)
		perror("accept_handler");
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_ANY);
	address.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 7777));
	if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(sock, 128) < 0) {
		perror("farcall-aem-echo");
		return 1;
	}
	if (sockasync_accept(sock, NULL, NULL, accept_handler, 0) < 0) {
		perror("sockasync_accept");
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (1)
		pause(); /* `while (1);` does as well, for the price of a core */
}
