/* The floor: posix_spawn and waitpid in a loop, with nothing around them.
 *
 * floor SPAWNS AT_A_TIME PROGRAM
 *
 * Keeps AT_A_TIME children going until SPAWNS have ended; prints seconds and this process's CPU
 * seconds. Each child reads from /dev/null, as those of the other contenders do.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor SPAWNS AT_A_TIME PROGRAM\n");
        return 2;
    }
    long spawns = atol(argv[1]), room = atol(argv[2]), started = 0;
    char *child_argv[] = {argv[3], NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);

    double time_before = now(), cpu_before = cpu();
    for (long ended = 0; ended < spawns;) {
        if (started < spawns && started - ended < room) {
            pid_t pid;
            int error = posix_spawn(&pid, argv[3], &actions, NULL, child_argv, environ);
            if (error != 0) {
                fprintf(stderr, "posix_spawn: %s\n", strerror(error));
                return 1;
            }
            started++;
            continue;
        }
        if (waitpid(-1, NULL, 0) < 0) {
            perror("waitpid");
            return 1;
        }
        ended++;
    }
    printf("%.9f %.9f\n", now() - time_before, cpu() - cpu_before);
    return 0;
}
