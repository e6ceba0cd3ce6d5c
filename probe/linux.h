/* The few lines between a program without a C library and the Linux kernel: entry point and system calls. */
#ifndef PROBE_LINUX_H
#define PROBE_LINUX_H

/* Numbers and layouts that Linux has promised to keep: with them, building takes a compiler and nothing else. */
enum { INTERNET = 2, CRYPTOGRAPHY = 38 };                        /* AF_INET, AF_ALG */
enum { STREAM = 1, RAW = 3, SEQPACKET = 5, NONBLOCKING = 04000 }; /* SOCK_* */
enum { ECHO_MESSAGES = 1 };                                      /* IPPROTO_ICMP */
enum { READABLE = 1, WRITABLE = 4 };                             /* POLLIN, POLLOUT */
enum { INTERRUPT = 2, TERMINATE = 15 };                          /* SIGINT, SIGTERM */
enum { SOCKET_LEVEL = 1, REUSE_ADDRESS = 2, PENDING_ERROR = 4 }; /* SOL_SOCKET, SO_* */
enum { EINTR = 4, EPROTO = 71, ETIMEDOUT = 110, ECONNREFUSED = 111, EINPROGRESS = 115 };
enum { MONOTONIC = 1, BLOCK_SIGNALS = 0, CURRENT_DIRECTORY = -100 };

struct internet_address {
    unsigned short family;
    unsigned short port; /* in network byte order, like the address */
    unsigned char address[4];
    unsigned char padding[8];
};

struct time_span {
    long seconds;
    long nanoseconds;
};

struct poll_entry {
    int descriptor;
    short wanted;
    short seen;
};

int run(int count, char **arguments);

#if defined(__x86_64__)

enum {
    NR_read = 0, NR_write = 1, NR_close = 3, NR_rt_sigprocmask = 14, NR_socket = 41, NR_connect = 42,
    NR_bind = 49, NR_listen = 50, NR_setsockopt = 54, NR_getsockopt = 55, NR_getuid = 102,
    NR_geteuid = 107, NR_mount = 165, NR_clock_gettime = 228, NR_exit_group = 231, NR_openat = 257, NR_ppoll = 271,
    NR_accept4 = 288, NR_signalfd4 = 289,
};

__asm__(".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call begin\n");

static inline long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

enum {
    NR_mount = 40, NR_openat = 56, NR_close = 57, NR_read = 63, NR_write = 64, NR_ppoll = 73, NR_signalfd4 = 74,
    NR_exit_group = 94, NR_clock_gettime = 113, NR_rt_sigprocmask = 135, NR_getuid = 174,
    NR_geteuid = 175, NR_socket = 198, NR_bind = 200, NR_listen = 201, NR_connect = 203,
    NR_setsockopt = 208, NR_getsockopt = 209, NR_accept4 = 242,
};

__asm__(".globl _start\n"
        "_start:\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  mov x0, sp\n"
        "  and sp, x0, #-16\n"
        "  bl begin\n");

static inline long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#else
#error "the probe is written for amd64 and arm64"
#endif

/* The kernel hands over: argument count, then the arguments, then a null pointer. */
__attribute__((noreturn, used)) static void begin(long *stack)
{
    int code = run((int)stack[0], (char **)(stack + 1));
    for (;;)
        system_call(NR_exit_group, code, 0, 0, 0, 0, 0);
}

static inline long read_from(int descriptor, void *buffer, unsigned long size)
{
    return system_call(NR_read, descriptor, (long)buffer, (long)size, 0, 0, 0);
}

static inline long write_to(int descriptor, const void *buffer, unsigned long size)
{
    return system_call(NR_write, descriptor, (long)buffer, (long)size, 0, 0, 0);
}

static inline int open_to_read(const char *path)
{
    return (int)system_call(NR_openat, CURRENT_DIRECTORY, (long)path, 0, 0, 0, 0);
}

static inline void close_it(int descriptor)
{
    system_call(NR_close, descriptor, 0, 0, 0, 0, 0);
}

static inline int open_socket(int family, int type, int protocol)
{
    return (int)system_call(NR_socket, family, type, protocol, 0, 0, 0);
}

static inline int mount_at(const char *path, const char *type)
{
    return (int)system_call(NR_mount, (long)"none", (long)path, (long)type, 0, 0, 0);
}

static inline int connect_socket(int descriptor, const struct internet_address *address)
{
    return (int)system_call(NR_connect, descriptor, (long)address, sizeof *address, 0, 0, 0);
}

static inline int bind_socket(int descriptor, const struct internet_address *address)
{
    return (int)system_call(NR_bind, descriptor, (long)address, sizeof *address, 0, 0, 0);
}

static inline int listen_on(int descriptor)
{
    return (int)system_call(NR_listen, descriptor, 16, 0, 0, 0, 0);
}

static inline int accept_from(int descriptor)
{
    return (int)system_call(NR_accept4, descriptor, 0, 0, 0, 0, 0);
}

static inline int set_reusable(int descriptor)
{
    int on = 1;
    return (int)system_call(NR_setsockopt, descriptor, SOCKET_LEVEL, REUSE_ADDRESS, (long)&on,
                            sizeof on, 0);
}

static inline int pending_error(int descriptor)
{
    int error = 0, size = sizeof error;
    long result = system_call(NR_getsockopt, descriptor, SOCKET_LEVEL, PENDING_ERROR, (long)&error,
                              (long)&size, 0);
    return result < 0 ? (int)-result : error;
}

static inline long milliseconds_now(void)
{
    struct time_span now = {0, 0};
    system_call(NR_clock_gettime, MONOTONIC, (long)&now, 0, 0, 0, 0);
    return now.seconds * 1000 + now.nanoseconds / 1000000;
}

static inline long poll_for(struct poll_entry *entries, int count, long milliseconds)
{
    struct time_span left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    return system_call(NR_ppoll, (long)entries, count, (long)&left, 0, 0, 0);
}

/* The first process of a container ignores signals it has no handler for, and `docker stop` would wait
   for its full grace time: take them as something to read instead. */
static inline int end_signals(void)
{
    unsigned long signals = 1ul << (INTERRUPT - 1) | 1ul << (TERMINATE - 1);
    system_call(NR_rt_sigprocmask, BLOCK_SIGNALS, (long)&signals, 0, sizeof signals, 0, 0);
    return (int)system_call(NR_signalfd4, -1, (long)&signals, sizeof signals, 0, 0, 0);
}

#endif
