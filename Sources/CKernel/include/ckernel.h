// What Swift cannot import: raw system calls, variadic calls, struct layouts. No logic.
//
// Every function returns the system call's result, or -errno: errno itself is read here, before anything else can
// run. Layouts are the kernel's (include/uapi/linux/*.h) and are spelt out, so that neither the age of the installed
// headers nor the clashes between <sys/mount.h> and <linux/mount.h> matter.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

// Numbers above 424 are the same on every architecture that Swift supports.
#define CK_SYS_pidfd_send_signal 424
#define CK_SYS_open_tree 428
#define CK_SYS_move_mount 429
#define CK_SYS_fsopen 430
#define CK_SYS_fsconfig 431
#define CK_SYS_fsmount 432
#define CK_SYS_fspick 433
#define CK_SYS_pidfd_open 434
#define CK_SYS_clone3 435
#define CK_SYS_close_range 436
#define CK_SYS_openat2 437
#define CK_SYS_pidfd_getfd 438
#define CK_SYS_mount_setattr 442

#define CK_RETURN(...) \
    long result = (__VA_ARGS__); \
    return result == -1 ? -(long)errno : result
#define CK_INLINE static inline __attribute__((always_inline)) long

// Files

struct ck_open_how { uint64_t flags, mode, resolve; };

struct ck_statx_timestamp { int64_t tv_sec; uint32_t tv_nsec; int32_t reserved; };

struct ck_statx {
    uint32_t stx_mask, stx_blksize;
    uint64_t stx_attributes;
    uint32_t stx_nlink, stx_uid, stx_gid;
    uint16_t stx_mode, spare0;
    uint64_t stx_ino, stx_size, stx_blocks, stx_attributes_mask;
    struct ck_statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
    uint32_t stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
    uint64_t stx_mnt_id;
    uint64_t spare[13];
};

CK_INLINE ck_openat(int dir, const char *path, int flags, unsigned mode) {
    CK_RETURN(syscall(SYS_openat, dir, path, flags, mode));
}
CK_INLINE ck_openat2(int dir, const char *path, const struct ck_open_how *how) {
    CK_RETURN(syscall(CK_SYS_openat2, dir, path, how, sizeof *how));
}
CK_INLINE ck_close(int fd) { CK_RETURN(syscall(SYS_close, fd)); }
CK_INLINE ck_close_range(unsigned first, unsigned last, unsigned flags) {
    CK_RETURN(syscall(CK_SYS_close_range, first, last, flags));
}
CK_INLINE ck_read(int fd, void *buffer, size_t count) { CK_RETURN(syscall(SYS_read, fd, buffer, count)); }
CK_INLINE ck_write(int fd, const void *buffer, size_t count) { CK_RETURN(syscall(SYS_write, fd, buffer, count)); }
CK_INLINE ck_pread(int fd, void *buffer, size_t count, int64_t offset) {
    CK_RETURN(syscall(SYS_pread64, fd, buffer, count, offset));
}
CK_INLINE ck_pwrite(int fd, const void *buffer, size_t count, int64_t offset) {
    CK_RETURN(syscall(SYS_pwrite64, fd, buffer, count, offset));
}
CK_INLINE ck_lseek(int fd, int64_t offset, int whence) { CK_RETURN(syscall(SYS_lseek, fd, offset, whence)); }
CK_INLINE ck_ftruncate(int fd, int64_t length) { CK_RETURN(syscall(SYS_ftruncate, fd, length)); }
CK_INLINE ck_fallocate(int fd, int mode, int64_t offset, int64_t length) {
    CK_RETURN(syscall(SYS_fallocate, fd, mode, offset, length));
}
CK_INLINE ck_fsync(int fd) { CK_RETURN(syscall(SYS_fsync, fd)); }
CK_INLINE ck_fdatasync(int fd) { CK_RETURN(syscall(SYS_fdatasync, fd)); }
CK_INLINE ck_syncfs(int fd) { CK_RETURN(syscall(SYS_syncfs, fd)); }
CK_INLINE ck_fcntl(int fd, int command, long argument) { CK_RETURN(fcntl(fd, command, argument)); }
CK_INLINE ck_flock(int fd, int operation) { CK_RETURN(syscall(SYS_flock, fd, operation)); }
CK_INLINE ck_ioctl(int fd, unsigned long request, unsigned long argument) {
    CK_RETURN(syscall(SYS_ioctl, fd, request, argument));
}
CK_INLINE ck_ioctl_pointer(int fd, unsigned long request, void *argument) {
    CK_RETURN(syscall(SYS_ioctl, fd, request, argument));
}
CK_INLINE ck_dup3(int from, int to, int flags) { CK_RETURN(syscall(SYS_dup3, from, to, flags)); }
CK_INLINE ck_statx(int dir, const char *path, int flags, unsigned mask, struct ck_statx *out) {
    CK_RETURN(syscall(SYS_statx, dir, path, flags, mask, out));
}
CK_INLINE ck_mkdirat(int dir, const char *path, unsigned mode) { CK_RETURN(syscall(SYS_mkdirat, dir, path, mode)); }
CK_INLINE ck_symlinkat(const char *target, int dir, const char *path) {
    CK_RETURN(syscall(SYS_symlinkat, target, dir, path));
}
CK_INLINE ck_readlinkat(int dir, const char *path, void *buffer, size_t size) {
    CK_RETURN(syscall(SYS_readlinkat, dir, path, buffer, size));
}
CK_INLINE ck_linkat(int dir, const char *path, int to_dir, const char *to, int flags) {
    CK_RETURN(syscall(SYS_linkat, dir, path, to_dir, to, flags));
}
CK_INLINE ck_mknodat(int dir, const char *path, unsigned mode, unsigned device) {
    CK_RETURN(syscall(SYS_mknodat, dir, path, mode, device));
}
CK_INLINE ck_renameat2(int dir, const char *path, int to_dir, const char *to, unsigned flags) {
    CK_RETURN(syscall(SYS_renameat2, dir, path, to_dir, to, flags));
}
CK_INLINE ck_unlinkat(int dir, const char *path, int flags) { CK_RETURN(syscall(SYS_unlinkat, dir, path, flags)); }
CK_INLINE ck_faccessat(int dir, const char *path, int mode) { CK_RETURN(syscall(SYS_faccessat, dir, path, mode)); }
CK_INLINE ck_getdents64(int fd, void *buffer, size_t size) { CK_RETURN(syscall(SYS_getdents64, fd, buffer, size)); }
// A null path means the descriptor itself.
CK_INLINE ck_utimensat(int dir, const char *path, const struct timespec times[2], int flags) {
    CK_RETURN(syscall(SYS_utimensat, dir, path, times, flags));
}
CK_INLINE ck_fchmod(int fd, unsigned mode) { CK_RETURN(syscall(SYS_fchmod, fd, mode)); }
CK_INLINE ck_fchmodat(int dir, const char *path, unsigned mode) { CK_RETURN(syscall(SYS_fchmodat, dir, path, mode)); }
CK_INLINE ck_fchownat(int dir, const char *path, unsigned uid, unsigned gid, int flags) {
    CK_RETURN(syscall(SYS_fchownat, dir, path, uid, gid, flags));
}
CK_INLINE ck_umask(unsigned mask) { CK_RETURN(syscall(SYS_umask, mask)); }
CK_INLINE ck_chdir(const char *path) { CK_RETURN(syscall(SYS_chdir, path)); }
CK_INLINE ck_fchdir(int fd) { CK_RETURN(syscall(SYS_fchdir, fd)); }
CK_INLINE ck_chroot(const char *path) { CK_RETURN(syscall(SYS_chroot, path)); }
CK_INLINE ck_getcwd(char *buffer, size_t size) { CK_RETURN(syscall(SYS_getcwd, buffer, size)); }
CK_INLINE ck_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t length) {
    CK_RETURN(syscall(SYS_copy_file_range, from, from_offset, to, to_offset, length, 0));
}
CK_INLINE ck_sendfile(int to, int from, int64_t *offset, size_t count) {
    CK_RETURN(syscall(SYS_sendfile, to, from, offset, count));
}
CK_INLINE ck_splice(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t length, unsigned flags) {
    CK_RETURN(syscall(SYS_splice, from, from_offset, to, to_offset, length, flags));
}
CK_INLINE ck_statfs(const char *path, struct statfs *out) { CK_RETURN(statfs(path, out)); }
CK_INLINE ck_fstatfs(int fd, struct statfs *out) { CK_RETURN(fstatfs(fd, out)); }

CK_INLINE ck_lgetxattr(const char *path, const char *name, void *value, size_t size) {
    CK_RETURN(syscall(SYS_lgetxattr, path, name, value, size));
}
CK_INLINE ck_fgetxattr(int fd, const char *name, void *value, size_t size) {
    CK_RETURN(syscall(SYS_fgetxattr, fd, name, value, size));
}
CK_INLINE ck_lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
    CK_RETURN(syscall(SYS_lsetxattr, path, name, value, size, flags));
}
CK_INLINE ck_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    CK_RETURN(syscall(SYS_fsetxattr, fd, name, value, size, flags));
}
CK_INLINE ck_llistxattr(const char *path, void *list, size_t size) {
    CK_RETURN(syscall(SYS_llistxattr, path, list, size));
}
CK_INLINE ck_flistxattr(int fd, void *list, size_t size) { CK_RETURN(syscall(SYS_flistxattr, fd, list, size)); }
CK_INLINE ck_lremovexattr(const char *path, const char *name) { CK_RETURN(syscall(SYS_lremovexattr, path, name)); }
CK_INLINE ck_fremovexattr(int fd, const char *name) { CK_RETURN(syscall(SYS_fremovexattr, fd, name)); }

// Mounts

struct ck_mount_attr { uint64_t attr_set, attr_clr, propagation, userns_fd; };

CK_INLINE ck_fsopen(const char *name, unsigned flags) { CK_RETURN(syscall(CK_SYS_fsopen, name, flags)); }
CK_INLINE ck_fspick(int dir, const char *path, unsigned flags) {
    CK_RETURN(syscall(CK_SYS_fspick, dir, path, flags));
}
CK_INLINE ck_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux) {
    CK_RETURN(syscall(CK_SYS_fsconfig, fd, command, key, value, aux));
}
CK_INLINE ck_fsmount(int fd, unsigned flags, unsigned attributes) {
    CK_RETURN(syscall(CK_SYS_fsmount, fd, flags, attributes));
}
CK_INLINE ck_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    CK_RETURN(syscall(CK_SYS_move_mount, from_dir, from, to_dir, to, flags));
}
CK_INLINE ck_open_tree(int dir, const char *path, unsigned flags) {
    CK_RETURN(syscall(CK_SYS_open_tree, dir, path, flags));
}
CK_INLINE ck_mount_setattr(int dir, const char *path, unsigned flags, struct ck_mount_attr *attributes) {
    CK_RETURN(syscall(CK_SYS_mount_setattr, dir, path, flags, attributes, sizeof *attributes));
}
CK_INLINE ck_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    CK_RETURN(syscall(SYS_mount, source, target, type, flags, data));
}
CK_INLINE ck_umount2(const char *path, int flags) { CK_RETURN(syscall(SYS_umount2, path, flags)); }
CK_INLINE ck_pivot_root(const char *new_root, const char *put_old) {
    CK_RETURN(syscall(SYS_pivot_root, new_root, put_old));
}

// Processes and namespaces

struct ck_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

struct ck_cap_header { uint32_t version; int32_t pid; };
struct ck_cap_data { uint32_t effective, permitted, inheritable; };

struct ck_sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

// What waitid fills in, without siginfo_t's unions.
struct ck_wait_info { int pid, uid, code, status; };

CK_INLINE ck_clone3(struct ck_clone_args *arguments) {
    CK_RETURN(syscall(CK_SYS_clone3, arguments, sizeof *arguments));
}
CK_INLINE ck_unshare(int flags) { CK_RETURN(syscall(SYS_unshare, flags)); }
CK_INLINE ck_setns(int fd, int type) { CK_RETURN(syscall(SYS_setns, fd, type)); }
CK_INLINE ck_pidfd_open(int pid, unsigned flags) { CK_RETURN(syscall(CK_SYS_pidfd_open, pid, flags)); }
CK_INLINE ck_pidfd_getfd(int pidfd, int target) { CK_RETURN(syscall(CK_SYS_pidfd_getfd, pidfd, target, 0)); }
CK_INLINE ck_pidfd_send_signal(int pidfd, int signal) {
    CK_RETURN(syscall(CK_SYS_pidfd_send_signal, pidfd, signal, (void *)0, 0));
}
CK_INLINE ck_kill(int pid, int signal) { CK_RETURN(syscall(SYS_kill, pid, signal)); }
CK_INLINE ck_waitid(int type, int id, struct ck_wait_info *out, int options) {
    siginfo_t info = {0};
    long result = syscall(SYS_waitid, type, id, &info, options, (void *)0);
    out->pid = info.si_pid, out->uid = info.si_uid, out->code = info.si_code, out->status = info.si_status;
    return result == -1 ? -(long)errno : result;
}
CK_INLINE ck_wait4(int pid, int *status, int options, struct rusage *usage) {
    CK_RETURN(syscall(SYS_wait4, pid, status, options, usage));
}
CK_INLINE ck_execve(const char *path, char *const *arguments, char *const *environment) {
    CK_RETURN(syscall(SYS_execve, path, arguments, environment));
}
CK_INLINE ck_execveat(int dir, const char *path, char *const *arguments, char *const *environment, int flags) {
    CK_RETURN(syscall(SYS_execveat, dir, path, arguments, environment, flags));
}
CK_INLINE ck_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    CK_RETURN(syscall(SYS_prctl, option, a, b, c, d));
}
CK_INLINE ck_prctl_pointer(int option, const void *a, unsigned long b) {
    CK_RETURN(syscall(SYS_prctl, option, a, b, 0, 0));
}
CK_INLINE ck_capget(struct ck_cap_header *header, struct ck_cap_data data[2]) {
    CK_RETURN(syscall(SYS_capget, header, data));
}
CK_INLINE ck_capset(struct ck_cap_header *header, const struct ck_cap_data data[2]) {
    CK_RETURN(syscall(SYS_capset, header, data));
}
CK_INLINE ck_prlimit(int pid, int resource, const uint64_t new_limit[2], uint64_t old_limit[2]) {
    CK_RETURN(syscall(SYS_prlimit64, pid, resource, new_limit, old_limit));
}
CK_INLINE ck_setgroups(size_t count, const uint32_t *groups) { CK_RETURN(syscall(SYS_setgroups, count, groups)); }
CK_INLINE ck_getgroups(int count, uint32_t *groups) { CK_RETURN(syscall(SYS_getgroups, count, groups)); }
CK_INLINE ck_setresuid(unsigned r, unsigned e, unsigned s) { CK_RETURN(syscall(SYS_setresuid, r, e, s)); }
CK_INLINE ck_setresgid(unsigned r, unsigned e, unsigned s) { CK_RETURN(syscall(SYS_setresgid, r, e, s)); }
CK_INLINE ck_setsid(void) { CK_RETURN(syscall(SYS_setsid)); }
CK_INLINE ck_setpgid(int pid, int group) { CK_RETURN(syscall(SYS_setpgid, pid, group)); }
CK_INLINE ck_sethostname(const char *name, size_t length) { CK_RETURN(syscall(SYS_sethostname, name, length)); }
CK_INLINE ck_setdomainname(const char *name, size_t length) { CK_RETURN(syscall(SYS_setdomainname, name, length)); }
CK_INLINE ck_personality(unsigned long persona) { CK_RETURN(syscall(SYS_personality, persona)); }
CK_INLINE ck_ioprio_set(int which, int who, int priority) { CK_RETURN(syscall(SYS_ioprio_set, which, who, priority)); }
CK_INLINE ck_ioprio_get(int which, int who) { CK_RETURN(syscall(SYS_ioprio_get, which, who)); }
CK_INLINE ck_sched_setattr(int pid, const struct ck_sched_attr *attributes) {
    CK_RETURN(syscall(SYS_sched_setattr, pid, attributes, 0));
}
CK_INLINE ck_sched_getattr(int pid, struct ck_sched_attr *attributes) {
    CK_RETURN(syscall(SYS_sched_getattr, pid, attributes, sizeof *attributes, 0));
}
CK_INLINE ck_sched_setaffinity(int pid, size_t size, const void *mask) {
    CK_RETURN(syscall(SYS_sched_setaffinity, pid, size, mask));
}
CK_INLINE ck_sched_getaffinity(int pid, size_t size, void *mask) {
    CK_RETURN(syscall(SYS_sched_getaffinity, pid, size, mask));
}
CK_INLINE ck_set_mempolicy(int mode, const unsigned long *mask, unsigned long maximum) {
    CK_RETURN(syscall(SYS_set_mempolicy, mode, mask, maximum));
}
CK_INLINE ck_keyctl_join(const char *name) { CK_RETURN(syscall(SYS_keyctl, 1, name)); }
CK_INLINE ck_keyctl_describe(int key, char *buffer, size_t size) {
    CK_RETURN(syscall(SYS_keyctl, 6, key, buffer, size));
}
CK_INLINE ck_keyctl_setperm(int key, unsigned permissions) { CK_RETURN(syscall(SYS_keyctl, 5, key, permissions)); }
CK_INLINE ck_getrandom(void *buffer, size_t size, unsigned flags) {
    CK_RETURN(syscall(SYS_getrandom, buffer, size, flags));
}
CK_INLINE ck_memfd_create(const char *name, unsigned flags) { CK_RETURN(syscall(SYS_memfd_create, name, flags)); }

// glibc 2.29 and 2.34 have these; their headers show them to _GNU_SOURCE only.
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);

// Signals, waiting

CK_INLINE ck_sigprocmask(int how, const uint64_t *set, uint64_t *old) {
    CK_RETURN(syscall(SYS_rt_sigprocmask, how, set, old, 8));
}
CK_INLINE ck_signalfd(int fd, const uint64_t *mask, int flags) {
    CK_RETURN(syscall(SYS_signalfd4, fd, mask, 8, flags));
}
CK_INLINE ck_signal_default(int number) { return signal(number, SIG_DFL) == SIG_ERR ? -(long)errno : 0; }
CK_INLINE ck_signal_ignore(int number) { return signal(number, SIG_IGN) == SIG_ERR ? -(long)errno : 0; }
CK_INLINE ck_epoll_create(int flags) { CK_RETURN(syscall(SYS_epoll_create1, flags)); }
CK_INLINE ck_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    CK_RETURN(syscall(SYS_epoll_ctl, epoll, operation, fd, &event));
}
CK_INLINE ck_epoll_wait(int epoll, struct epoll_event *events, int maximum, int timeout) {
    CK_RETURN(syscall(SYS_epoll_pwait, epoll, events, maximum, timeout, (void *)0, 0));
}
static inline uint64_t ck_epoll_data(const struct epoll_event *event) { return event->data.u64; }
struct ck_pollfd { int32_t fd; int16_t events, revents; };
CK_INLINE ck_ppoll(struct ck_pollfd *descriptors, size_t count, const struct timespec *timeout) {
    struct timespec left = timeout ? *timeout : (struct timespec){0};
    CK_RETURN(syscall(SYS_ppoll, descriptors, count, timeout ? &left : 0, (void *)0, 8));
}
CK_INLINE ck_eventfd(unsigned value, int flags) { CK_RETURN(syscall(SYS_eventfd2, value, flags)); }
CK_INLINE ck_timerfd_create(int clock, int flags) { CK_RETURN(syscall(SYS_timerfd_create, clock, flags)); }
CK_INLINE ck_timerfd_settime(int fd, int flags, const struct itimerspec *value) {
    CK_RETURN(syscall(SYS_timerfd_settime, fd, flags, value, (void *)0));
}
CK_INLINE ck_inotify_init(int flags) { CK_RETURN(syscall(SYS_inotify_init1, flags)); }
CK_INLINE ck_inotify_add_watch(int fd, const char *path, uint32_t mask) {
    CK_RETURN(syscall(SYS_inotify_add_watch, fd, path, mask));
}
CK_INLINE ck_inotify_rm_watch(int fd, int watch) { CK_RETURN(syscall(SYS_inotify_rm_watch, fd, watch)); }

// Sockets, pipes

struct ck_ucred { int32_t pid; uint32_t uid, gid; };
struct ck_ifreq { char name[16]; int16_t flags; char padding[22]; };

CK_INLINE ck_pipe2(int ends[2], int flags) { CK_RETURN(syscall(SYS_pipe2, ends, flags)); }
CK_INLINE ck_socket(int domain, int type, int protocol) { CK_RETURN(syscall(SYS_socket, domain, type, protocol)); }
CK_INLINE ck_socketpair(int domain, int type, int protocol, int ends[2]) {
    CK_RETURN(syscall(SYS_socketpair, domain, type, protocol, ends));
}
CK_INLINE ck_bind(int fd, const void *address, unsigned length) { CK_RETURN(syscall(SYS_bind, fd, address, length)); }
CK_INLINE ck_connect(int fd, const void *address, unsigned length) {
    CK_RETURN(syscall(SYS_connect, fd, address, length));
}
CK_INLINE ck_listen(int fd, int backlog) { CK_RETURN(syscall(SYS_listen, fd, backlog)); }
CK_INLINE ck_accept4(int fd, int flags) { CK_RETURN(syscall(SYS_accept4, fd, (void *)0, (void *)0, flags)); }
CK_INLINE ck_shutdown(int fd, int how) { CK_RETURN(syscall(SYS_shutdown, fd, how)); }
CK_INLINE ck_sendmsg(int fd, const struct msghdr *message, int flags) {
    CK_RETURN(syscall(SYS_sendmsg, fd, message, flags));
}
CK_INLINE ck_recvmsg(int fd, struct msghdr *message, int flags) {
    CK_RETURN(syscall(SYS_recvmsg, fd, message, flags));
}
CK_INLINE ck_getsockopt(int fd, int level, int name, void *value, unsigned *length) {
    CK_RETURN(syscall(SYS_getsockopt, fd, level, name, value, length));
}
CK_INLINE ck_setsockopt(int fd, int level, int name, const void *value, unsigned length) {
    CK_RETURN(syscall(SYS_setsockopt, fd, level, name, value, length));
}

// seccomp, bpf

struct ck_sock_filter { uint16_t code; uint8_t jt, jf; uint32_t k; };
struct ck_sock_fprog { uint16_t len; const struct ck_sock_filter *filter; };

CK_INLINE ck_seccomp(unsigned operation, unsigned flags, const void *arguments) {
    CK_RETURN(syscall(SYS_seccomp, operation, flags, arguments));
}

struct ck_bpf_insn { uint8_t code, registers; int16_t off; int32_t imm; };

struct ck_bpf_prog_load {
    uint32_t prog_type, insn_cnt;
    uint64_t insns, license;
    uint32_t log_level, log_size;
    uint64_t log_buf;
    uint32_t kern_version, prog_flags;
    char prog_name[16];
    uint32_t prog_ifindex, expected_attach_type;
};
struct ck_bpf_prog_attach { uint32_t target_fd, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd; };
struct ck_bpf_prog_query {
    uint32_t target_fd, attach_type, query_flags, attach_flags;
    uint64_t prog_ids;
    uint32_t prog_cnt, padding;
};
struct ck_bpf_get_fd_by_id { uint32_t id, next_id, open_flags; };

CK_INLINE ck_bpf(int command, void *attributes, unsigned size) {
    CK_RETURN(syscall(SYS_bpf, command, attributes, size));
}
