/* Makes one file operation of a process fail, or ends the process there. Loaded with LD_PRELOAD, driven by faults.py.

   Operations on files below the folders of FAULT_UNDER (separated by :) are counted; the one whose number is armed does
   not do what it should. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOTHING, KILL, TERM, INT_, NO_SPACE, IO_ERROR, NO_ACCESS, SHORT, FULL };

#define MOST_FILES 65536
static atomic_int count, at, kind;
static char watched[MOST_FILES];
static char under[8][PATH_MAX];
static int folders;

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("FAULT_UNDER");
    while (given && *given && folders < 8) {
        size_t size = strcspn(given, ":");
        snprintf(under[folders++], PATH_MAX, "%.*s", (int)size, given);
        given += size + (given[size] == ':');
    }
}

void faults_arm(int which, int what) { count = 0; at = which; kind = what; }
int faults_count(void) { return count; }

static int below(const char *path, int folder) {
    char whole[2 * PATH_MAX], base[PATH_MAX];
    if (!path) return 0;
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else if (folder == AT_FDCWD && getcwd(base, sizeof base)) snprintf(whole, sizeof whole, "%s/%s", base, path);
    else return folder >= 0 && folder < MOST_FILES && watched[folder];
    for (int i = 0; i < folders; i++)
        if (!strncmp(whole, under[i], strlen(under[i]))) return 1;
    return 0;
}

static int is_open(int file) { return file >= 0 && file < MOST_FILES && watched[file]; }

/* What is to become of an operation: 0 to do it, SHORT to do half of it, or -1 with errno set. */
static int fate(int writes) {
    int now = atomic_fetch_add(&count, 1) + 1;
    if (!at || now < at || (now > at && kind != FULL)) return 0;
    switch (kind) {
        case KILL: kill(getpid(), SIGKILL); return 0;
        case TERM: kill(getpid(), SIGTERM); return 0;
        case INT_: kill(getpid(), SIGINT); return 0;
        case NO_SPACE: errno = ENOSPC; return writes ? -1 : 0;
        case FULL: errno = ENOSPC; return writes ? -1 : 0;
        case IO_ERROR: errno = EIO; return -1;
        case NO_ACCESS: errno = EACCES; return -1;
        case SHORT: return SHORT;
    }
    return 0;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int opened(int file, int is_watched) {
    if (file >= 0 && file < MOST_FILES) watched[file] = is_watched;
    return file;
}

#define OPEN(name)                                                                        \
    int name(const char *path, int flags, ...) {                                          \
        REAL(name);                                                                       \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        int ours = below(path, AT_FDCWD);                                                 \
        if (ours && fate(flags & O_CREAT) < 0) return -1;                                 \
        return opened(real(path, flags, mode), ours);                                     \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                      \
    int name(int folder, const char *path, int flags, ...) {                              \
        REAL(name);                                                                       \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        int ours = below(path, folder);                                                   \
        if (ours && fate(flags & O_CREAT) < 0) return -1;                                 \
        return opened(real(folder, path, flags, mode), ours);                             \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int file) {
    REAL(close);
    opened(file, 0);
    return real(file);
}

#define MOVE(name, writes, parameters, arguments, shorter)                                \
    ssize_t name parameters {                                                             \
        REAL(name);                                                                       \
        int what = is_open(file) ? fate(writes) : 0;                                      \
        if (what < 0) return -1;                                                          \
        if (what == SHORT && writes && size > 1) size /= 2;                               \
        return real arguments;                                                            \
    }
MOVE(read, 0, (int file, void *data, size_t size), (file, data, size), 1)
MOVE(pread, 0, (int file, void *data, size_t size, off_t place), (file, data, size, place), 1)
MOVE(pread64, 0, (int file, void *data, size_t size, off64_t place), (file, data, size, place), 1)
MOVE(write, 1, (int file, const void *data, size_t size), (file, data, size), 1)
MOVE(pwrite, 1, (int file, const void *data, size_t size, off_t place), (file, data, size, place), 1)
MOVE(pwrite64, 1, (int file, const void *data, size_t size, off64_t place), (file, data, size, place), 1)

#define FILE_CALL(name, parameters, arguments)                                            \
    int name parameters {                                                                 \
        REAL(name);                                                                       \
        if (is_open(file) && fate(1) < 0) return -1;                                      \
        return real arguments;                                                            \
    }
FILE_CALL(fsync, (int file), (file))
FILE_CALL(fdatasync, (int file), (file))
FILE_CALL(ftruncate, (int file, off_t size), (file, size))
FILE_CALL(ftruncate64, (int file, off64_t size), (file, size))

#define PATH_CALL(name, parameters, arguments, folder)                                    \
    int name parameters {                                                                 \
        REAL(name);                                                                       \
        if (below(path, folder) && fate(1) < 0) return -1;                                \
        return real arguments;                                                            \
    }
PATH_CALL(rename, (const char *path, const char *other), (path, other), AT_FDCWD)
PATH_CALL(renameat, (int from, const char *path, int to, const char *other), (from, path, to, other), from)
PATH_CALL(unlink, (const char *path), (path), AT_FDCWD)
PATH_CALL(unlinkat, (int folder, const char *path, int flags), (folder, path, flags), folder)
PATH_CALL(rmdir, (const char *path), (path), AT_FDCWD)
PATH_CALL(mkdir, (const char *path, mode_t mode), (path, mode), AT_FDCWD)
