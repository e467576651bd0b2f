#define _GNU_SOURCE
#include "include/ckernel_events.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { max_descriptors = 16 };

int ckernel_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int ckernel_pipe2(int descriptors[2], int flags) { return pipe2(descriptors, flags); }

int ckernel_peer_uid(int fd, uid_t *uid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    int result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    if (result == 0) *uid = peer.uid;
    return result;
}

ssize_t ckernel_send(int fd, const void *bytes, size_t size, const int *descriptors, int count) {
    char control[CMSG_SPACE(sizeof(int) * max_descriptors)] = {0};
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count > max_descriptors) {
        errno = EINVAL;
        return -1;
    }
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t ckernel_receive(int fd, void *bytes, size_t size, int *descriptors, int *count, int flags) {
    char control[CMSG_SPACE(sizeof(int) * max_descriptors)];
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int capacity = *count;
    *count = 0;
    ssize_t result = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
    if (result < 0) return result;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int received = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int position = 0; position < received; position++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + sizeof(int) * position, sizeof descriptor);
            if (*count < capacity)
                descriptors[(*count)++] = descriptor;
            else
                close(descriptor);
        }
    }
    return result;
}

int ckernel_set_window_size(int terminal, uint16_t columns, uint16_t rows) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(terminal, TIOCSWINSZ, &size);
}

pid_t ckernel_fork(void) { return fork(); }

int ckernel_pidfd_open(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }

int ckernel_prctl(int option, unsigned long argument) { return prctl(option, argument, 0, 0, 0); }

void ckernel_trim_heap(void) { malloc_trim(0); }

static int each_text_segment(struct dl_phdr_info *object, size_t size, void *body) {
    (void)size;
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_X | PF_W)) != PF_X) continue;
        ((void (*)(void *, size_t))body)((void *)(object->dlpi_addr + segment->p_vaddr), segment->p_memsz);
    }
    return 0;
}

void ckernel_each_text_segment(void (*body)(void *, size_t)) { dl_iterate_phdr(each_text_segment, (void *)body); }

void ckernel_tune_heap_for_idling(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_TOP_PAD, 16 * 1024);
}

int ckernel_spawn_monitor(pid_t *pid, const char *path, char *const arguments[], char *const environment[],
                          int output, int control) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0) return result;
    result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return result;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    // The callers' descriptors are all above 3, so that no dup2 below can overwrite another one's source.
    if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, control, 3);
    if (result == 0 && output >= 0) result = posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (result == 0 && output < 0) result = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (result == 0) result = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&actions, 4);
    if (result == 0) result = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}
