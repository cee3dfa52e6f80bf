/* Process 1 of every pod: holds the pod's namespaces, reaps orphans, ends on SIGINT or SIGTERM. x86-64 Linux, no libc. */

#define SYS_rt_sigprocmask 14
#define SYS_exit 60
#define SYS_wait4 61
#define SYS_rt_sigtimedwait 128
#define SIG_BLOCK 0
#define SIGINT 2
#define SIGTERM 15
#define SIGCHLD 17
#define WNOHANG 1
#define MASK(number) (1UL << ((number) - 1))

static long call(long number, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

void _start(void) {
    /* Blocked signals stay pending even for process 1, which otherwise loses those it has no handler for. */
    unsigned long mask = MASK(SIGINT) | MASK(SIGTERM) | MASK(SIGCHLD);
    call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&mask, 0, sizeof mask);
    for (;;) {
        long number = call(SYS_rt_sigtimedwait, (long)&mask, 0, 0, sizeof mask);
        if (number == SIGINT || number == SIGTERM)
            call(SYS_exit, 0, 0, 0, 0);
        while (number == SIGCHLD && call(SYS_wait4, -1, 0, WNOHANG, 0) > 0)
            ;
    }
}
