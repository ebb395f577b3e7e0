#define _GNU_SOURCE
#include "CLinuxShims.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char *const *portproof_environment(void) { return environ; }

int portproof_pipe(int *reader, int *writer, int size) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  // Fewer, larger reads; an unprivileged user may have less, and then has it.
  (void)fcntl(ends[1], F_SETPIPE_SZ, size);
  *reader = ends[0];
  *writer = ends[1];
  return 0;
}

int portproof_make_temporary(char *path) { return mkostemp(path, O_CLOEXEC); }

ptrdiff_t portproof_find(const void *bytes, size_t count, const void *needle, size_t length) {
  const char *found = memmem(bytes, count, needle, length);
  return found == NULL ? -1 : found - (const char *)bytes;
}

int portproof_unshare_user(void) { return unshare(CLONE_NEWUSER) == 0 ? 0 : errno; }

int portproof_unshare_network(void) { return unshare(CLONE_NEWNET) == 0 ? 0 : errno; }

int portproof_enter_network(int descriptor) {
  return setns(descriptor, CLONE_NEWNET) == 0 ? 0 : errno;
}

int portproof_die_with_parent(void) {
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? 0 : errno;
}

static int limit(int resource, uint64_t value) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) return errno;
  if (now.rlim_max != RLIM_INFINITY && value > now.rlim_max) value = now.rlim_max;
  struct rlimit wanted = {.rlim_cur = value, .rlim_max = value};
  return setrlimit(resource, &wanted) == 0 ? 0 : errno;
}

int portproof_limit_resources(uint64_t memory_bytes, uint64_t processor_seconds) {
  int status = limit(RLIMIT_CORE, 0);
  if (status == 0) status = limit(RLIMIT_AS, memory_bytes);
  if (status == 0) status = limit(RLIMIT_CPU, processor_seconds);
  return status;
}

int portproof_limit_memory(uint64_t bytes) {
  int status = limit(RLIMIT_CORE, 0);
  return status == 0 ? limit(RLIMIT_AS, bytes) : status;
}

static int peers[2];

static void *await_hangup(void *unused) {
  // Nothing but a hangup or an error wakes it: requests are not its business.
  struct pollfd ends[2] = {{.fd = peers[0]}, {.fd = peers[1]}};
  for (;;) {
    if (poll(ends, 2, -1) > 0) _exit(0);
  }
  return unused;
}

int portproof_end_with_peer(int input, int output) {
  peers[0] = input;
  peers[1] = output;
  pthread_t thread;
  int status = pthread_create(&thread, NULL, await_hangup, NULL);
  if (status == 0) pthread_detach(thread);
  return status;
}

int portproof_socket_pair(int *one, int *other) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  *one = ends[0];
  *other = ends[1];
  return 0;
}

int portproof_terminal_columns(int descriptor) {
  struct winsize size;
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static atomic_int interruptions;
static pthread_once_t is_watching = PTHREAD_ONCE_INIT;
static int watch_status;

static void *watch(void *signals) {
  for (;;) {
    int signal;
    if (sigwait(signals, &signal) != 0) continue;
    if (atomic_fetch_add(&interruptions, 1) > 0) _exit(130);
  }
}

static void start_watching(void) {
  static sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  // Threads inherit the mask, so that only the watching one ever takes these signals.
  watch_status = pthread_sigmask(SIG_BLOCK, &signals, NULL);
  pthread_t thread;
  if (watch_status == 0) watch_status = pthread_create(&thread, NULL, watch, &signals);
  if (watch_status == 0) pthread_detach(thread);
}

int portproof_watch_interruptions(void) {
  pthread_once(&is_watching, start_watching);
  return watch_status;
}

int portproof_interruptions(void) { return atomic_load(&interruptions); }

int portproof_memory_file(int *descriptor) {
  int result = memfd_create("portproof", MFD_CLOEXEC);
  if (result < 0) return errno;
  *descriptor = result;
  return 0;
}

int portproof_stay_on_this_processor(void) {
  int processor = sched_getcpu();
  if (processor < 0) return errno;
  cpu_set_t *set = CPU_ALLOC(processor + 1);
  if (set == NULL) return ENOMEM;
  size_t size = CPU_ALLOC_SIZE(processor + 1);
  CPU_ZERO_S(size, set);
  CPU_SET_S(processor, size, set);
  int status = sched_setaffinity(0, size, set) == 0 ? 0 : errno;
  CPU_FREE(set);
  return status;
}

int portproof_spawn(const char *path, char *const arguments[], int input, int output, int errors,
                    int *child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int status = posix_spawn_file_actions_init(&actions);
  if (status != 0) return status;
  status = posix_spawnattr_init(&attributes);
  if (status != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return status;
  }
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGTERM);
  if (status == 0)
    status = input < 0 ? posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
                       : posix_spawn_file_actions_adddup2(&actions, input, 0);
  if (status == 0) status = posix_spawn_file_actions_adddup2(&actions, output, 1);
  if (status == 0) status = posix_spawn_file_actions_adddup2(&actions, errors, 2);
  if (status == 0) status = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (status == 0) status = posix_spawnattr_setsigmask(&attributes, &none);
  if (status == 0) status = posix_spawnattr_setsigdefault(&attributes, &defaults);
  if (status == 0)
    status = posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  if (status == 0) {
    pid_t pid = 0;
    status = posix_spawn(&pid, path, &actions, &attributes, arguments, environ);
    *child = pid;
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

int portproof_decode_status(int status, int *value) {
  if (WIFEXITED(status)) {
    *value = WEXITSTATUS(status);
    return 0;
  }
  *value = WTERMSIG(status);
  return 1;
}

int portproof_own_addresses(struct portproof_address *addresses, int capacity, int *count) {
  struct ifaddrs *list;
  if (getifaddrs(&list) != 0) return errno;
  *count = 0;
  for (struct ifaddrs *each = list; each != NULL; each = each->ifa_next) {
    if (each->ifa_addr == NULL || (each->ifa_flags & IFF_LOOPBACK) != 0) continue;
    int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    if (*count < capacity) {
      struct portproof_address *address = &addresses[*count];
      address->is_ipv6 = family == AF_INET6;
      if (family == AF_INET6)
        memcpy(address->octets, &((struct sockaddr_in6 *)each->ifa_addr)->sin6_addr, 16);
      else
        memcpy(address->octets, &((struct sockaddr_in *)each->ifa_addr)->sin_addr, 4);
    }
    *count += 1;
  }
  freeifaddrs(list);
  return 0;
}
