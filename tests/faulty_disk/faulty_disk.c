/* A disk that fails as a test says: LD_PRELOAD'ed into a process, for the files below one directory.
 *
 * FAULTY_DISK            the directory, as an absolute path without links
 * FAULTY_DISK_STATE      a file whose one word is what the disk is now: `full`, `read-only`, `slow`, or anything
 *                        else; what writes to a slow one takes 20 ms
 * FAULTY_DISK_DURABLE    a directory that receives what has been synced: a file's content as <inode>, at
 *                        fsync(file); a directory's entries as <inode>, a line `inode name` each, at
 *                        fsync(directory). Nothing else of the disk survives a loss of power.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int below(const char *path)
{
    const char *root = getenv("FAULTY_DISK");
    size_t length = root ? strlen(root) : 0;
    return length && !strncmp(path, root, length) && (path[length] == '/' || path[length] == 0);
}

static int path_is_ours(int directory, const char *path)
{
    char whole[PATH_MAX];
    if (path[0] == '/')
        return below(path);
    if (directory != AT_FDCWD) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t length = readlink(link, whole, sizeof whole - 1);
        if (length < 0)
            return 0;
        whole[length] = 0;
        return below(whole);
    }
    return getcwd(whole, sizeof whole) && below(whole);
}

static int file_is_ours(int file)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return below(path);
}

/* 0, or the errno of what the disk is now. */
static int failure(void)
{
    char word[16] = "";
    const char *state = getenv("FAULTY_DISK_STATE");
    int file = state ? NEXT(open)(state, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t length = NEXT(read)(file, word, sizeof word - 1);
    NEXT(close)(file);
    if (length >= 4 && !strncmp(word, "slow", 4))
        usleep(20000);
    if (length >= 4 && !strncmp(word, "full", 4))
        return ENOSPC;
    return length >= 9 && !strncmp(word, "read-only", 9) ? EROFS : 0;
}

static int refuses(int is_ours)
{
    int error = is_ours ? failure() : 0;
    if (error)
        errno = error;
    return error;
}

/* A file that is there can be opened on a full disk; a new one, and any for writing on a read-only one, not. */
static int refuses_open(int directory, const char *path, int flags)
{
    struct stat there;
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT)) || !path_is_ours(directory, path))
        return 0;
    int error = failure();
    int is_there = fstatat(directory, path, &there, 0) == 0;
    if (error == ENOSPC && is_there)
        error = 0;
    if (error == EROFS && is_there && !(flags & (O_WRONLY | O_RDWR)))
        error = 0;
    if (error)
        errno = error;
    return error;
}

#define OPEN(name, directory, parameters, arguments)                                                          \
    int name parameters                                                                                       \
    {                                                                                                         \
        mode_t mode = 0;                                                                                      \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                  \
            va_list rest;                                                                                     \
            va_start(rest, flags);                                                                            \
            mode = va_arg(rest, mode_t);                                                                      \
            va_end(rest);                                                                                     \
        }                                                                                                     \
        return refuses_open(directory, path, flags) ? -1 : NEXT(name) arguments;                              \
    }
OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, directory, (int directory, const char *path, int flags, ...), (directory, path, flags, mode))
OPEN(openat64, directory, (int directory, const char *path, int flags, ...), (directory, path, flags, mode))

#define WRITES(result, name, parameters, arguments)                                                           \
    result name parameters { return refuses(file_is_ours(file)) ? -1 : NEXT(name) arguments; }
WRITES(ssize_t, write, (int file, const void *bytes, size_t count), (file, bytes, count))
WRITES(ssize_t, pwrite, (int file, const void *bytes, size_t count, off_t at), (file, bytes, count, at))
WRITES(ssize_t, pwrite64, (int file, const void *bytes, size_t count, off64_t at), (file, bytes, count, at))
WRITES(ssize_t, pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at))
WRITES(ssize_t, pwritev64, (int file, const struct iovec *parts, int count, off64_t at),
       (file, parts, count, at))

/* Blocks are found at once, so that no write fails that comes by memory. */
int posix_fallocate(int file, off_t at, off_t count)
{
    int error = file_is_ours(file) ? failure() : 0;
    return error ? error : NEXT(posix_fallocate)(file, at, count);
}

int posix_fallocate64(int file, off64_t at, off64_t count)
{
    int error = file_is_ours(file) ? failure() : 0;
    return error ? error : NEXT(posix_fallocate64)(file, at, count);
}

#define NAMES(name, directory, parameters, arguments)                                                         \
    int name parameters                                                                                       \
    {                                                                                                         \
        int error = path_is_ours(directory, path) ? failure() : 0;                                            \
        if (error == EROFS) {                                                                                 \
            errno = error;                                                                                    \
            return -1;                                                                                        \
        }                                                                                                     \
        return NEXT(name) arguments;                                                                          \
    }
NAMES(mkdir, AT_FDCWD, (const char *path, mode_t mode), (path, mode))
NAMES(chmod, AT_FDCWD, (const char *path, mode_t mode), (path, mode))
NAMES(rename, AT_FDCWD, (const char *path, const char *to), (path, to))
NAMES(link, AT_FDCWD, (const char *path, const char *to), (path, to))

static void forget(int directory, const char *path)
{
    char durable[PATH_MAX];
    struct stat there;
    const char *root = getenv("FAULTY_DISK_DURABLE");
    if (!root || !path_is_ours(directory, path) || fstatat(directory, path, &there, AT_SYMLINK_NOFOLLOW))
        return;
    if (there.st_nlink == 1) { /* its number will be given to another file */
        snprintf(durable, sizeof durable, "%s/%lu.gone", root, (unsigned long)there.st_ino);
        char from[PATH_MAX];
        snprintf(from, sizeof from, "%s/%lu", root, (unsigned long)there.st_ino);
        NEXT(rename)(from, durable);
    }
}

int unlink(const char *path)
{
    if (path_is_ours(AT_FDCWD, path) && failure() == EROFS) {
        errno = EROFS;
        return -1;
    }
    forget(AT_FDCWD, path);
    return NEXT(unlink)(path);
}

static void copy(int from, int to)
{
    char bytes[1 << 16];
    ssize_t count;
    while ((count = NEXT(read)(from, bytes, sizeof bytes)) > 0)
        if (NEXT(write)(to, bytes, (size_t)count) != count)
            abort();
}

static void list(int directory, int to)
{
    DIR *entries = fdopendir(dup(directory));
    if (!entries)
        abort();
    rewinddir(entries);
    for (struct dirent *entry; (entry = readdir(entries));)
        if (entry->d_type == DT_REG)
            dprintf(to, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    closedir(entries);
}

static int synced(int file)
{
    char link[64], durable[PATH_MAX], draft[PATH_MAX + 64];
    struct stat there;
    const char *root = getenv("FAULTY_DISK_DURABLE");
    if (!root || !file_is_ours(file) || fstat(file, &there))
        return 0;
    snprintf(durable, sizeof durable, "%s/%lu", root, (unsigned long)there.st_ino);
    snprintf(draft, sizeof draft, "%s.%d.%lx", durable, (int)getpid(), (unsigned long)pthread_self());
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    int from = NEXT(open)(link, O_RDONLY | O_CLOEXEC);
    int to = NEXT(open)(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        abort();
    if (S_ISDIR(there.st_mode))
        list(from, to);
    else
        copy(from, to);
    NEXT(close)(from);
    NEXT(close)(to);
    return NEXT(rename)(draft, durable);
}

#define SYNCS(name)                                                                                           \
    int name(int file)                                                                                        \
    {                                                                                                         \
        int result = NEXT(name)(file);                                                                        \
        return result ? result : synced(file);                                                                \
    }
SYNCS(fsync)
SYNCS(fdatasync)
