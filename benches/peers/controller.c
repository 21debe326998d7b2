/* The controller that measures a device: raw MQTT 3.1.1 on a socket of its own, so that no library's
 * habits are measured along.
 *
 *   controller latency HOST PORT USER_ID QOS COUNT SECONDS   one command after the other
 *   controller burst   HOST PORT USER_ID QOS COUNT WINDOW    WINDOW commands under way (0: all at once)
 *   controller session HOST PORT USER_ID QOS COUNT 0         COUNT commands, and the last words at once
 *   controller echo    COUNT                                 a TCP echo on loopback: the limit
 *
 * Logs the device in by the protocol, warms it up with 20 commands, and prints: `latency` a line of
 * microseconds for each command, from the write of the command to the read of its reply; `burst` the
 * seconds from the first command to the last reply. Both then end the session by the last words.
 * `burst` says `warm` first and waits for a line on standard input, before the last words once more, so that
 * benches/compare can look at the device in between. `session` has no warm-up, and prints the seconds of the
 * pause before the first command.
 *
 * TCP_NODELAY, and TCP_QUICKACK after each read: the broker never waits for this end. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 20
/* The three seconds of the protocol, shortened: the device has to subscribe. */
#define PAUSE 0.5
/* mosquitto's max_inflight_messages: it throws a publisher out that has more unconfirmed at QoS 2. */
#define UNCONFIRMED 20
static const char *const WORDS[] = {"Apple", "Cat", "Dog", "Rat", "Boy", "Girl", "Toy"};
static const char LAST_WORDS[] = "Well done my IoT!";
static char unique_id[40];

static int sock;
static uint8_t in[1 << 20];
static size_t in_start, in_end;
static uint8_t *out;
static size_t out_start, out_end, out_room;
static uint16_t next_pkid;

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("controller: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void set(int fd, int option) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, option, &one, sizeof one);
}

static int open_socket(const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("no IPv4 address: %s", host);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect: %s", strerror(errno));
    set(fd, TCP_NODELAY);
    return fd;
}

static void put(const void *bytes, size_t length) {
    if (out_end + length > out_room) {
        out_room = (out_end + length) * 2;
        if (!(out = realloc(out, out_room))) die("no memory");
    }
    memcpy(out + out_end, bytes, length);
    out_end += length;
}

static void put16(uint16_t n) {
    uint8_t bytes[] = {n >> 8, n & 0xff};
    put(bytes, 2);
}

static void put_text(const char *text) {
    put16(strlen(text));
    put(text, strlen(text));
}

static void head(uint8_t type, size_t length) {
    if (length > 127) die("packet too long for this controller");
    uint8_t bytes[] = {type, length};
    put(bytes, 2);
}

static void put_ack(uint8_t type, uint16_t pkid) {
    head(type, 2);
    put16(pkid);
}

static uint16_t fresh_pkid(void) { return next_pkid = next_pkid % 65535 + 1; }

static void put_publish(const char *topic, const char *payload, int qos) {
    head(0x30 | qos << 1, 2 + strlen(topic) + (qos ? 2 : 0) + strlen(payload));
    put_text(topic);
    if (qos) put16(fresh_pkid());
    put(payload, strlen(payload));
}

static void put_subscribe(const char *filter, int qos) {
    head(0x82, 2 + 2 + strlen(filter) + 1);
    put16(fresh_pkid());
    put_text(filter);
    uint8_t level = qos;
    put(&level, 1);
}

/* Writes what the socket takes. */
static void flush(void) {
    while (out_start < out_end) {
        ssize_t n = send(sock, out + out_start, out_end - out_start, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) die("send: %s", strerror(errno));
        out_start += n;
    }
    out_start = out_end = 0;
}

typedef struct {
    uint8_t type, flags;
    char topic[128], payload[128];
    uint16_t pkid;
} Packet;

/* A whole packet out of what has been read, acknowledged where MQTT wants it; 0 where there is none. */
static int parse(Packet *packet) {
    size_t have = in_end - in_start, length = 0, at = 1;
    uint8_t *p = in + in_start;
    for (int shift = 0;; shift += 7, at++) {
        if (have <= at) return 0;
        length |= (size_t)(p[at] & 0x7f) << shift;
        if (!(p[at] & 0x80)) break;
    }
    at++;
    if (have < at + length) return 0;
    in_start += at + length;
    p += at;
    packet->type = p[-(long)at] >> 4;
    packet->flags = p[-(long)at] & 15;
    packet->topic[0] = packet->payload[0] = 0;
    packet->pkid = length >= 2 ? p[0] << 8 | p[1] : 0;
    if (packet->type == 3) {
        int qos = packet->flags >> 1 & 3;
        size_t topic = p[0] << 8 | p[1], body = 2 + topic + (qos ? 2 : 0);
        if (topic > 127 || length - body > 127) die("message too long for this controller");
        memcpy(packet->topic, p + 2, topic);
        packet->topic[topic] = 0;
        memcpy(packet->payload, p + body, length - body);
        packet->payload[length - body] = 0;
        packet->pkid = qos ? p[2 + topic] << 8 | p[3 + topic] : 0;
        if (qos == 1) put_ack(0x40, packet->pkid);
        if (qos == 2) put_ack(0x50, packet->pkid);
    } else if (packet->type == 5) {
        put_ack(0x62, packet->pkid);
    } else if (packet->type == 6) {
        put_ack(0x70, packet->pkid);
    }
    return 1;
}

/* The next packet, or 0 when the time is up. */
static int next(Packet *packet, double until) {
    for (;;) {
        if (parse(packet)) return 1;
        flush();
        double left = until - now();
        if (left <= 0) return 0;
        struct pollfd wait = {sock, POLLIN | (out_end ? POLLOUT : 0), 0};
        if (poll(&wait, 1, left * 1000 + 1) < 0 && errno != EINTR) die("poll: %s", strerror(errno));
        if (wait.revents & POLLIN) {
            memmove(in, in + in_start, in_end - in_start);
            in_end -= in_start;
            in_start = 0;
            ssize_t n = recv(sock, in + in_end, sizeof in - in_end, MSG_DONTWAIT);
            if (n == 0) die("the broker closed the connection");
            if (n < 0 && errno != EAGAIN && errno != EINTR) die("recv: %s", strerror(errno));
            if (n > 0) in_end += n;
            set(sock, TCP_QUICKACK);
        }
    }
}

static void await(int type, const char *what) {
    Packet packet;
    double until = now() + 20;
    while (next(&packet, until))
        if (packet.type == type) return;
    die("no %s in 20 s", what);
}

static void log_in(const char *user_id, int qos) {
    Packet packet;
    char text[80];
    snprintf(unique_id, sizeof unique_id, "bench%d", getpid());
    head(0x10, 10 + 2 + strlen(unique_id));
    put_text("MQTT");
    uint8_t rest[] = {4, 2, 0, 0};
    put(rest, 4);
    put_text(unique_id);
    await(2, "CONNACK");
    put_subscribe("login", qos);
    await(9, "SUBACK");
    snprintf(text, sizeof text, "%s/+", unique_id);
    put_subscribe(text, qos);
    await(9, "SUBACK");
    puts("ready");
    fflush(stdout);
    double until = now() + 20;
    do {
        if (!next(&packet, until)) die("no device logged in within 20 s");
    } while (packet.type != 3 || strcmp(packet.topic, "login") || strcmp(packet.payload, user_id));
    snprintf(text, sizeof text, "%s/UUID", user_id);
    put_publish(text, unique_id, qos);
    await(qos == 1 ? 4 : 7, "confirmation");
    double pause = now() + PAUSE;
    while (next(&packet, pause)) {}
}

/* Whether this is a reply, and the right one. */
static int is_reply(const Packet *packet) {
    size_t id = strlen(unique_id);
    if (packet->type != 3 || strncmp(packet->topic, unique_id, id) || packet->topic[id] != '/') return 0;
    int command = packet->topic[id + 4] - '1';
    if (command < 0 || command > 6 || strcmp(packet->payload, WORDS[command])) die("wrong reply: %s", packet->payload);
    return 1;
}

static void command(int i, int qos) {
    char text[8];
    snprintf(text, sizeof text, "CMD%d", i % 7 + 1);
    put_publish(unique_id, text, qos);
}

/* One command and its reply, in seconds. */
static double ask(int i, int qos) {
    Packet packet;
    command(i, qos);
    double begin = now(), until = begin + 20;
    flush();
    for (;;) {
        if (!next(&packet, until)) die("no reply within 20 s");
        if (is_reply(&packet)) return now() - begin;
    }
}

static double burst(long count, long window, int qos) {
    Packet packet;
    double begin = now();
    long sent = 0, confirmed = 0, replies = 0;
    while (replies < count) {
        while (sent < count && (!window || sent - replies < window) && sent - confirmed < UNCONFIRMED)
            command(sent++, qos);
        if (!next(&packet, now() + 60)) die("%ld of %ld replies, then none for 60 s", replies, count);
        confirmed += packet.type == (qos == 1 ? 4 : 7);
        replies += is_reply(&packet);
    }
    return now() - begin;
}

static void settle(double seconds) {
    Packet packet;
    double until = now() + seconds;
    while (next(&packet, until)) {}
}

static void say_last_words(int qos) {
    put_publish(unique_id, LAST_WORDS, qos);
    await(qos == 1 ? 4 : 7, "confirmation");
    uint8_t disconnect[] = {0xe0, 0};
    put(disconnect, 2);
    flush();
}

static int echo(long count) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1)) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    char bytes[64] = {0};
    if (!fork()) {
        int peer = accept(listener, NULL, NULL);
        set(peer, TCP_NODELAY);
        for (ssize_t n; (n = recv(peer, bytes, sizeof bytes, 0)) > 0;)
            if (send(peer, bytes, n, 0) != n) break;
        _exit(0);
    }
    sock = open_socket("127.0.0.1", ntohs(address.sin_port));
    for (long i = -WARM_UP; i < count; i++) {
        double begin = now();
        if (send(sock, bytes, 20, 0) != 20 || recv(sock, bytes, sizeof bytes, 0) != 20) die("echo");
        if (i >= 0) printf("%.1f\n", (now() - begin) * 1e6);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "echo")) return echo(atol(argv[2]));
    if (argc != 8) die("see the head of the source");
    int qos = atoi(argv[5]);
    long count = atol(argv[6]);
    sock = open_socket(argv[2], atoi(argv[3]));
    log_in(argv[4], qos);
    int whole = !strcmp(argv[1], "session");
    for (int i = 0; i < (whole ? count : WARM_UP); i++) ask(i, qos);
    if (whole) {
        printf("%.6f\n", PAUSE);
    } else if (!strcmp(argv[1], "latency")) {
        double until = now() + atof(argv[7]);
        for (long i = 0; i < count && now() < until; i++) printf("%.1f\n", ask(i, qos) * 1e6);
        settle(0.1);
    } else {
        settle(0.2);
        puts("warm");
        fflush(stdout);
        getchar();
        printf("%.6f\n", burst(count, atol(argv[7]), qos));
        fflush(stdout);
        getchar();
        settle(0.1);
    }
    say_last_words(qos);
    return 0;
}
