/* SPDX-License-Identifier: MIT */
/*
 * An event-driven server of some use: lines of text, by topic, from whoever publishes to whoever has subscribed.
 *
 *   farcall-aem-pubsub [PORT [IDLE_SECONDS]]
 *
 * One command per line:  SUB topic   UNSUB topic   PUB topic text…   STATS   QUIT
 * Answers are lines: OK, ERR why, MSG topic text…. A client that says nothing for IDLE_SECONDS is sent away.
 *
 * All of it happens in handlers, one at a time, so there is no lock; the main program only waits, so handlers may use
 * malloc() and stdio (farcall_aem(7)).
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <farcall/aem.h>

#define MAX_LINE 4096
#define MAX_TOPICS 16 /* of one client */
#define MAX_NAME 64

struct client {
	int sock;
	int idle; /* its timer */
	int heard; /* since the last look */
	size_t bytes;
	char line[MAX_LINE]; /* what came of a line that is not complete */
	char topics[MAX_TOPICS][MAX_NAME];
	struct client *next, **before;
};

static struct client *clients;
static unsigned long published, delivered;
static unsigned long idle_ms = 60000;

static struct client *client_of(int ed)
{
	unsigned long pointer = 0;

	evctl(ed, EVGETARG, (unsigned long)&pointer);
	return (struct client *)pointer;
}

static void drop(struct client *client)
{
	*client->before = client->next;
	if (client->next)
		client->next->before = client->before;
	evunregister(client->idle);
	close(client->sock); /* ends what is registered on it */
	free(client);
}

/* Nobody waits for a client that does not read: what does not fit its socket is not sent. */
static void say(struct client *client, const char *text, size_t bytes)
{
	if (send(client->sock, text, bytes, MSG_DONTWAIT) == (ssize_t)bytes)
		delivered++;
}

static void answer(struct client *client, const char *text)
{
	char line[128];
	int bytes = snprintf(line, sizeof(line), "%s\n", text);

	say(client, line, (size_t)bytes);
}

static char *find_topic(struct client *client, const char *name)
{
	for (int i = 0; i < MAX_TOPICS; i++)
		if (strcmp(client->topics[i], name) == 0)
			return client->topics[i];
	return NULL;
}

static void subscribe(struct client *client, const char *name)
{
	char *place = find_topic(client, name);

	if (!place)
		place = find_topic(client, "");
	if (!place) {
		answer(client, "ERR too many topics");
		return;
	}
	strcpy(place, name);
	answer(client, "OK");
}

static void unsubscribe(struct client *client, const char *name)
{
	char *place = find_topic(client, name);

	if (place)
		*place = '\0';
	answer(client, place ? "OK" : "ERR not subscribed");
}

static void publish(struct client *from, const char *name, const char *text)
{
	char message[MAX_LINE + 8];
	int bytes = snprintf(message, sizeof(message), "MSG %s %s\n", name, text);

	published++;
	for (struct client *client = clients; client; client = client->next)
		if (find_topic(client, name))
			say(client, message, (size_t)bytes);
	answer(from, "OK");
}

static void stats(struct client *client)
{
	struct evlist list = {NULL, 0, 0};
	char text[100];

	snprintf(text, sizeof(text), "OK published %lu delivered %lu events %ld", published, delivered,
		 evctl(-1, EVGETLIST, (unsigned long)&list));
	answer(client, text);
}

/* False: the client is gone. */
static int obey(struct client *client, char *line)
{
	char *name = strchr(line, ' ');
	char *text = NULL;

	if (name) {
		*name++ = '\0';
		text = strchr(name, ' ');
		if (text)
			*text++ = '\0';
	}
	if (strcmp(line, "QUIT") == 0) {
		drop(client);
		return 0;
	}
	if (strcmp(line, "STATS") == 0)
		stats(client);
	else if (!name || !*name || strlen(name) >= MAX_NAME)
		answer(client, "ERR which topic?");
	else if (strcmp(line, "SUB") == 0)
		subscribe(client, name);
	else if (strcmp(line, "UNSUB") == 0)
		unsubscribe(client, name);
	else if (strcmp(line, "PUB") == 0)
		publish(client, name, text ? text : "");
	else
		answer(client, "ERR what?");
	return 1;
}

static void read_handler(int ed, int sock, char *data, int bytes)
{
	struct client *client = client_of(ed);

	(void)sock;
	if (bytes <= 0) {
		drop(client);
		return;
	}
	client->heard = 1;
	for (int i = 0; i < bytes; i++) {
		if (data[i] == '\r')
			continue;
		if (data[i] != '\n') {
			if (client->bytes == MAX_LINE - 1) {
				answer(client, "ERR the line is too long");
				drop(client);
				return;
			}
			client->line[client->bytes++] = data[i];
			continue;
		}
		client->line[client->bytes] = '\0';
		client->bytes = 0;
		if (!obey(client, client->line))
			return;
	}
}

static void idle_handler(int ed, long expirations)
{
	struct client *client = client_of(ed);

	if (expirations > 0 && client->heard) {
		client->heard = 0;
		return;
	}
	answer(client, "ERR you say nothing");
	drop(client);
}

static void accept_handler(int ed, int sock, int new_sock)
{
	struct client *client = new_sock < 0 ? NULL : calloc(1, sizeof(*client));
	int reader;

	(void)ed;
	(void)sock;
	if (!client) {
		perror("accept_handler");
		if (new_sock >= 0)
			close(new_sock);
		return;
	}
	client->sock = new_sock;
	client->next = clients;
	client->before = &clients;
	if (clients)
		clients->before = &client->next;
	clients = client;
	/* No handler runs before this one is over: so both have their argument in time. */
	client->idle = evtimer(idle_ms, idle_ms, idle_handler, EVF_PRIORITY(JOB_LOW));
	reader = sockasync_read(new_sock, 0, read_handler, 0);
	if (reader < 0 || client->idle < 0) {
		perror("farcall-aem-pubsub");
		drop(client);
		return;
	}
	evctl(client->idle, EVSETARG, (unsigned long)client);
	evctl(reader, EVSETARG, (unsigned long)client);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	struct farcall_aem_options options;
	int sock;

	if (argc > 2)
		idle_ms = strtoul(argv[2], NULL, 10) * 1000;
	memset(&options, 0, sizeof(options));
	options.events = 4096;
	if (farcall_aem_init(NULL, &options) < 0) {
		perror("farcall-aem-pubsub: the host");
		return 1;
	}
	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_ANY);
	address.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 7778));
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(sock, 1024) < 0 ||
	    sockasync_accept(sock, NULL, NULL, accept_handler, 0) < 0) {
		perror("farcall-aem-pubsub");
		return 1;
	}
	farcall_aem_hold(); /* stdio is handlers' business, too */
	printf("ready\n");
	fflush(stdout);
	farcall_aem_unhold();
	for (;;)
		pause();
}
