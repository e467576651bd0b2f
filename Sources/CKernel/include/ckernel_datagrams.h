// Datagrams in batches, and the names of sockets: calls that glibc shows to _GNU_SOURCE only.
#pragma once

#include "ckernel.h"

struct ck_mmsghdr { struct msghdr header; unsigned length; };

CK_INLINE ck_recvmmsg(int fd, struct ck_mmsghdr *messages, unsigned count, int flags) {
    CK_RETURN(syscall(SYS_recvmmsg, fd, messages, count, flags, (void *)0));
}
CK_INLINE ck_sendmmsg(int fd, struct ck_mmsghdr *messages, unsigned count, int flags) {
    CK_RETURN(syscall(SYS_sendmmsg, fd, messages, count, flags));
}
CK_INLINE ck_getsockname(int fd, void *address, unsigned *length) {
    CK_RETURN(syscall(SYS_getsockname, fd, address, length));
}
CK_INLINE ck_getpeername(int fd, void *address, unsigned *length) {
    CK_RETURN(syscall(SYS_getpeername, fd, address, length));
}
