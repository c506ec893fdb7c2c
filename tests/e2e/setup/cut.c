/* A power cut where it hurts: each fsync and each rename is two moments, before it and behind it; at the n-th moment of
 * the process, CLINIC_CUT, it is killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void moment(void) {
    static int moments;
    const char* at = getenv("CLINIC_CUT");
    if (at != NULL && ++moments == atoi(at)) kill(getpid(), SIGKILL);
}

int fsync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    moment();
    int done = real(file);
    moment();
    return done;
}

int rename(const char* from, const char* to) {
    int (*real)(const char*, const char*) = (int (*)(const char*, const char*))dlsym(RTLD_NEXT, "rename");
    moment();
    int done = real(from, to);
    moment();
    return done;
}
