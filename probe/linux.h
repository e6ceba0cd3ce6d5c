/* The few lines between a program without a C library and the Linux kernel: entry point and system calls. */
#ifndef PROBE_LINUX_H
#define PROBE_LINUX_H

#include <asm/errno.h>
#include <asm/socket.h>
#include <asm/unistd.h>
#include <linux/in.h>
#include <linux/time_types.h>

/* The kernel's user headers leave these to the C library. */
enum { INTERNET = 2, CRYPTOGRAPHY = 38 };                       /* AF_INET, AF_ALG */
enum { STREAM = 1, SEQPACKET = 5, NONBLOCKING = 04000 };        /* SOCK_* */
enum { READABLE = 1, WRITABLE = 4 };                            /* POLLIN, POLLOUT */
enum { INTERRUPT = 2, TERMINATE = 15 };                         /* SIGINT, SIGTERM */
enum { MONOTONIC = 1, BLOCK_SIGNALS = 0, CURRENT_DIRECTORY = -100 };

struct poll_entry {
    int descriptor;
    short wanted;
    short seen;
};

int run(int count, char **arguments);

#if defined(__x86_64__)

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
        system_call(__NR_exit_group, code, 0, 0, 0, 0, 0);
}

static inline long read_from(int descriptor, void *buffer, unsigned long size)
{
    return system_call(__NR_read, descriptor, (long)buffer, (long)size, 0, 0, 0);
}

static inline long write_to(int descriptor, const void *buffer, unsigned long size)
{
    return system_call(__NR_write, descriptor, (long)buffer, (long)size, 0, 0, 0);
}

static inline int open_to_read(const char *path)
{
    return (int)system_call(__NR_openat, CURRENT_DIRECTORY, (long)path, 0, 0, 0, 0);
}

static inline void close_it(int descriptor)
{
    system_call(__NR_close, descriptor, 0, 0, 0, 0, 0);
}

static inline int open_socket(int family, int type)
{
    return (int)system_call(__NR_socket, family, type, 0, 0, 0, 0);
}

static inline int connect_socket(int descriptor, const struct sockaddr_in *address)
{
    return (int)system_call(__NR_connect, descriptor, (long)address, sizeof *address, 0, 0, 0);
}

static inline int bind_socket(int descriptor, const struct sockaddr_in *address)
{
    return (int)system_call(__NR_bind, descriptor, (long)address, sizeof *address, 0, 0, 0);
}

static inline int listen_on(int descriptor)
{
    return (int)system_call(__NR_listen, descriptor, 16, 0, 0, 0, 0);
}

static inline int accept_from(int descriptor)
{
    return (int)system_call(__NR_accept4, descriptor, 0, 0, 0, 0, 0);
}

static inline int set_reusable(int descriptor)
{
    int on = 1;
    return (int)system_call(__NR_setsockopt, descriptor, SOL_SOCKET, SO_REUSEADDR, (long)&on,
                            sizeof on, 0);
}

static inline int pending_error(int descriptor)
{
    int error = 0, size = sizeof error;
    long result = system_call(__NR_getsockopt, descriptor, SOL_SOCKET, SO_ERROR, (long)&error,
                              (long)&size, 0);
    return result < 0 ? (int)-result : error;
}

static inline long milliseconds_now(void)
{
    struct __kernel_timespec now = {0, 0};
    system_call(__NR_clock_gettime, MONOTONIC, (long)&now, 0, 0, 0, 0);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline long poll_for(struct poll_entry *entries, int count, long milliseconds)
{
    struct __kernel_timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    return system_call(__NR_ppoll, (long)entries, count, (long)&left, 0, 0, 0);
}

/* The first process of a container ignores signals it has no handler for, and `docker stop` would wait
   for its full grace time: take them as something to read instead. */
static inline int end_signals(void)
{
    unsigned long signals = 1ul << (INTERRUPT - 1) | 1ul << (TERMINATE - 1);
    system_call(__NR_rt_sigprocmask, BLOCK_SIGNALS, (long)&signals, 0, sizeof signals, 0, 0);
    return (int)system_call(__NR_signalfd4, -1, (long)&signals, sizeof signals, 0, 0, 0);
}

#endif
