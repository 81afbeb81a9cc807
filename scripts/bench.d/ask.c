/* Starts a program again and again; prints seconds, CPU seconds of the programs, the most KiB that one had, failures.
   usage: ask AT_ONCE COUNT INPUT PROGRAM [ARG...]
   Each one reads the file INPUT; what they write is dropped. This launcher is small: a program that starts is charged
   with the memory of whoever started it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) {
    return t.tv_sec + t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
    if (argc < 5)
        return 100;
    int at_once = atoi(argv[1]), count = atoi(argv[2]), running = 0, started = 0, failures = 0, status;
    double began = now(), cpu = 0;
    long peak = 0;
    while (started < count || running > 0) {
        if (started < count && running < at_once) {
            pid_t pid = vfork();
            if (pid < 0)
                return 111;
            if (pid == 0) {
                int in = open(argv[3], O_RDONLY), out = open("/dev/null", O_WRONLY);
                dup2(in, 0);
                dup2(out, 1);
                close(in);
                close(out);
                execv(argv[4], argv + 4);
                _exit(127);
            }
            started++;
            running++;
            continue;
        }
        struct rusage usage;
        if (wait4(-1, &status, 0, &usage) < 0)
            return 111;
        running--;
        failures += status != 0;
        cpu += seconds(usage.ru_utime) + seconds(usage.ru_stime);
        if (usage.ru_maxrss > peak)
            peak = usage.ru_maxrss;
    }
    printf("%f %f %ld %d\n", now() - began, cpu, peak, failures);
    return 0;
}
