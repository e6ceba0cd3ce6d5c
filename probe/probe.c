/* The program of hardhost's probe image: tries from inside a container what a policy should prevent. */
#include "linux.h"

enum { DONE = 0, PREVENTED = 1, USAGE = 2, STOPPED = 128 + TERMINATE };
enum { OUTPUT = 1, ERRORS = 2 };
enum { DEFAULT_TIMEOUT = 3, LONGEST = 1000000 };

static const char answer[] = "hardhost\n";

static unsigned long length(const char *text)
{
    unsigned long size = 0;
    while (text[size])
        size++;
    return size;
}

static int same(const char *left, const char *right)
{
    while (*left && *left == *right)
        left++, right++;
    return *left == *right;
}

static void write_all(int descriptor, const char *text, unsigned long size)
{
    while (size > 0) {
        long written = write_to(descriptor, text, size);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        size -= (unsigned long)written;
    }
}

static void say(const char *text)
{
    write_all(OUTPUT, text, length(text));
}

static void say_number(const char *before, unsigned long number, const char *after)
{
    char digits[20];
    unsigned long at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    say(before);
    write_all(OUTPUT, digits + at, sizeof digits - at);
    say(after);
}

/* Reads digits up to `end`; -1 when there are none, other characters, or more than `most`. */
static long number_until(const char **text, char end, long most)
{
    long number = 0;
    const char *at = *text;
    if (*at == end)
        return -1;
    for (; *at != end; at++) {
        if (*at < '0' || *at > '9')
            return -1;
        number = number * 10 + (*at - '0');
        if (number > most)
            return -1;
    }
    *text = at;
    return number;
}

static long whole_number(const char *text, long most)
{
    return number_until(&text, '\0', most);
}

static int parse_address(const char *text, struct internet_address *address)
{
    for (int i = 0; i < 4; i++) {
        long part = number_until(&text, i < 3 ? '.' : '\0', 255);
        if (part < 0)
            return -1;
        address->address[i] = (unsigned char)part;
        text++;
    }
    return 0;
}

static int parse_port(const char *text, struct internet_address *address)
{
    long port = whole_number(text, 65535);
    if (port < 1)
        return -1;
    address->port = __builtin_bswap16((unsigned short)port);
    return 0;
}

enum outcome { READY, EXPIRED, TOLD_TO_END };

/* A negative descriptor waits for nothing but the deadline and a signal. */
static enum outcome wait_for(int descriptor, short event, int signals, long deadline)
{
    for (;;) {
        long left = deadline - milliseconds_now();
        struct poll_entry entries[2] = {{descriptor, event, 0}, {signals, READABLE, 0}};
        if (left <= 0)
            return EXPIRED;
        if (poll_for(entries, 2, left) > 0)
            return entries[1].seen ? TOLD_TO_END : READY;
    }
}

static int usage(void)
{
    static const char text[] =
        "usage: probe [exit]                        exit with 0\n"
        "       probe sleep SECONDS\n"
        "       probe status                        status, user id map, limits, ids\n"
        "       probe ids                           real and effective user id\n"
        "       probe listen PORT SECONDS           answer each connection with 'hardhost'\n"
        "       probe connect IPV4 PORT [SECONDS]   0: got that answer, 1: did not\n"
        "       probe afalg                         0: the socket could be opened, 1: not\n"
        "       probe rawsocket                     0: the socket could be opened, 1: not\n"
        "       probe mount                         0: a tmpfs could be mounted, 1: not\n";
    write_all(ERRORS, text, sizeof text - 1);
    return USAGE;
}

static int sleep_for(int count, char **arguments)
{
    long seconds = count == 1 ? whole_number(arguments[0], LONGEST) : -1;
    if (seconds < 0)
        return usage();
    long deadline = milliseconds_now() + seconds * 1000;
    return wait_for(-1, 0, end_signals(), deadline) == TOLD_TO_END ? STOPPED : DONE;
}

static int show_ids(void)
{
    say_number("uid=", (unsigned long)system_call(NR_getuid, 0, 0, 0, 0, 0, 0), "");
    say_number(" euid=", (unsigned long)system_call(NR_geteuid, 0, 0, 0, 0, 0, 0), "\n");
    return DONE;
}

static int show_file(const char *path)
{
    char buffer[4096];
    long size;
    int descriptor = open_to_read(path);
    say("--- ");
    say(path);
    say("\n");
    if (descriptor < 0) {
        say_number("errno=", (unsigned long)-descriptor, "\n");
        return PREVENTED;
    }
    while ((size = read_from(descriptor, buffer, sizeof buffer)) > 0)
        write_all(OUTPUT, buffer, (unsigned long)size);
    close_it(descriptor);
    return DONE;
}

static int show_status(void)
{
    int code = show_file("/proc/self/status") | show_file("/proc/self/uid_map") |
               show_file("/proc/self/limits");
    say("--- ids\n");
    show_ids();
    return code;
}

static int listen_for(int count, char **arguments)
{
    struct internet_address address = {.family = INTERNET};
    long seconds = count == 2 ? whole_number(arguments[1], LONGEST) : -1;
    if (seconds < 0 || parse_port(arguments[0], &address) < 0)
        return usage();

    int signals = end_signals();
    int listener = open_socket(INTERNET, STREAM | NONBLOCKING, 0);
    set_reusable(listener);
    int result = bind_socket(listener, &address);
    if (result == 0)
        result = listen_on(listener);
    if (result < 0) {
        say_number("cannot listen errno=", (unsigned long)-result, "\n");
        return PREVENTED;
    }
    say("listening\n");

    long deadline = milliseconds_now() + seconds * 1000;
    enum outcome outcome;
    while ((outcome = wait_for(listener, READABLE, signals, deadline)) == READY) {
        int connection = accept_from(listener);
        write_all(connection, answer, sizeof answer - 1);
        close_it(connection);
    }
    return outcome == TOLD_TO_END ? STOPPED : DONE;
}

/* 0 when the other side answered as `listen` does, ETIMEDOUT when it did not in time,
   EPROTO when something else answers there, else what the kernel says. */
static int converse(const struct internet_address *address, long deadline)
{
    char buffer[sizeof answer];
    unsigned long size = 0;
    int connection = open_socket(INTERNET, STREAM | NONBLOCKING, 0);
    int result = connection < 0 ? connection : connect_socket(connection, address);
    if (result < 0 && result != -EINPROGRESS)
        return -result;
    if (wait_for(connection, WRITABLE, -1, deadline) != READY)
        return ETIMEDOUT;
    if ((result = pending_error(connection)))
        return result;
    while (size < sizeof answer - 1) {
        if (wait_for(connection, READABLE, -1, deadline) != READY)
            return ETIMEDOUT;
        long more = read_from(connection, buffer + size, sizeof answer - 1 - size);
        if (more <= 0)
            return more < 0 ? (int)-more : EPROTO;
        size += (unsigned long)more;
    }
    buffer[size] = '\0';
    return same(buffer, answer) ? 0 : EPROTO;
}

static int connect_to(int count, char **arguments)
{
    struct internet_address address = {.family = INTERNET};
    long seconds = count == 3 ? whole_number(arguments[2], LONGEST) : DEFAULT_TIMEOUT;
    if (count < 2 || count > 3 || seconds < 1 || parse_address(arguments[0], &address) < 0 ||
        parse_port(arguments[1], &address) < 0)
        return usage();

    int error = converse(&address, milliseconds_now() + seconds * 1000);
    if (error == 0)
        say("connected\n");
    else if (error == ECONNREFUSED)
        say("refused\n");
    else if (error == ETIMEDOUT)
        say("timeout\n");
    else if (error == EPROTO)
        say("unexpected answer\n");
    else
        say_number("unreachable errno=", (unsigned long)error, "\n");
    return error == 0 ? DONE : PREVENTED;
}

/* What the kernel answered: a number that is not negative, or an error. */
static int tell(int result)
{
    say_number("errno=", result < 0 ? (unsigned long)-result : 0, "\n");
    return result < 0 ? PREVENTED : DONE;
}

int run(int count, char **arguments)
{
    const char *name = count > 1 ? arguments[1] : "exit";
    int left = count > 2 ? count - 2 : 0;
    char **rest = arguments + (count > 2 ? 2 : count);
    if (same(name, "sleep"))
        return sleep_for(left, rest);
    if (same(name, "listen"))
        return listen_for(left, rest);
    if (same(name, "connect"))
        return connect_to(left, rest);
    if (left > 0)
        return usage();
    if (same(name, "exit"))
        return DONE;
    if (same(name, "status"))
        return show_status();
    if (same(name, "ids"))
        return show_ids();
    if (same(name, "afalg"))
        return tell(open_socket(CRYPTOGRAPHY, SEQPACKET, 0));
    if (same(name, "rawsocket"))
        return tell(open_socket(INTERNET, RAW, ECHO_MESSAGES));
    if (same(name, "mount"))
        return tell(mount_at("/etc", "tmpfs"));
    return usage();
}
