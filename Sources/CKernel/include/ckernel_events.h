// Event loops, descriptor passing and the few calls around processes that Swift's Glibc module leaves out (they are
// variadic, macros, or behind _GNU_SOURCE). Declarations and one-line forwards only.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>

/// accept4(2) with SOCK_CLOEXEC | SOCK_NONBLOCK.
int ckernel_accept(int listener);
int ckernel_pipe2(int descriptors[2], int flags);
/// The process at the other end of a unix socket (SO_PEERCRED).
int ckernel_peer_uid(int socket, uid_t *uid);
/// sendmsg(2) of `size` bytes with up to 16 descriptors (SCM_RIGHTS); MSG_NOSIGNAL.
ssize_t ckernel_send(int socket, const void *bytes, size_t size, const int *descriptors, int count);
/// recvmsg(2) with MSG_CMSG_CLOEXEC; at most `*count` descriptors are stored and `*count` becomes how many, the rest are
/// closed.
ssize_t ckernel_receive(int socket, void *bytes, size_t size, int *descriptors, int *count, int flags);
/// TIOCSWINSZ.
int ckernel_set_window_size(int terminal, uint16_t columns, uint16_t rows);
pid_t ckernel_fork(void);
int ckernel_pidfd_open(pid_t pid, unsigned flags);
int ckernel_prctl(int option, unsigned long argument);
/// Gives freed heap pages back to the kernel.
void ckernel_trim_heap(void);
/* Calls `body` with each segment of the program and its libraries that is executable and cannot be written to. */
void ckernel_each_text_segment(void (*body)(void *address, size_t length));
/// M_MMAP_THRESHOLD and M_TRIM_THRESHOLD low, one arena: for a process that must idle in little memory.
void ckernel_tune_heap_for_idling(void);
/// posix_spawn(3) in a new session, all signals at their defaults and unblocked, with exactly the descriptors
/// 0 (/dev/null), 1 and 2 (`output`, or /dev/null when negative) and 3 (`control`). Returns 0 or an errno.
int ckernel_spawn_monitor(pid_t *pid, const char *path, char *const arguments[], char *const environment[],
                          int output, int control);
