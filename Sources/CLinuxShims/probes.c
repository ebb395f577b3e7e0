#define _GNU_SOURCE
#include "Probes.h"

#include <endian.h>
#include <errno.h>
#include <time.h>

#include <linux/capability.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

union address {
  struct sockaddr any;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

static socklen_t write_address(union address *address, const struct portproof_endpoint *endpoint) {
  memset(address, 0, sizeof *address);
  if (!endpoint->is_ipv6) {
    address->ipv4.sin_family = AF_INET;
    address->ipv4.sin_port = htons(endpoint->port);
    address->ipv4.sin_addr.s_addr = htonl((uint32_t)endpoint->low);
    return sizeof address->ipv4;
  }
  uint64_t halves[2] = {htobe64(endpoint->high), htobe64(endpoint->low)};
  address->ipv6.sin6_family = AF_INET6;
  address->ipv6.sin6_port = htons(endpoint->port);
  memcpy(&address->ipv6.sin6_addr, halves, sizeof halves);
  return sizeof address->ipv6;
}

static void read_address(struct portproof_endpoint *endpoint, const void *bytes) {
  // Control messages need not be aligned.
  union address address;
  memset(endpoint, 0, sizeof *endpoint);
  memcpy(&address.any, bytes, sizeof address.any);
  if (address.any.sa_family == AF_INET) {
    memcpy(&address.ipv4, bytes, sizeof address.ipv4);
    endpoint->low = ntohl(address.ipv4.sin_addr.s_addr);
    endpoint->port = ntohs(address.ipv4.sin_port);
  } else if (address.any.sa_family == AF_INET6) {
    uint64_t halves[2];
    memcpy(&address.ipv6, bytes, sizeof address.ipv6);
    memcpy(halves, &address.ipv6.sin6_addr, sizeof halves);
    endpoint->high = be64toh(halves[0]);
    endpoint->low = be64toh(halves[1]);
    endpoint->port = ntohs(address.ipv6.sin6_port);
    endpoint->is_ipv6 = 1;
  }
}

static int family_of(const struct portproof_endpoint *endpoint) {
  return endpoint->is_ipv6 ? AF_INET6 : AF_INET;
}

/// Keeps a socket that could be set up; closes one that could not.
static int keep(int socket, int is_set_up, int *descriptor) {
  if (!is_set_up) {
    int error = errno;
    close(socket);
    return error;
  }
  *descriptor = socket;
  return 0;
}

static int bind_to(int socket, const struct portproof_endpoint *endpoint) {
  union address address;
  socklen_t size = write_address(&address, endpoint);
  return bind(socket, &address.any, size);
}

/// Binds, and tells the port that the kernel chose.
static int bind_and_tell(int socket, struct portproof_endpoint *endpoint) {
  union address address;
  socklen_t size = sizeof address;
  if (bind_to(socket, endpoint) != 0) return -1;
  if (getsockname(socket, &address.any, &size) != 0) return -1;
  struct portproof_endpoint own;
  read_address(&own, &address);
  endpoint->port = own.port;
  return 0;
}

static int queue_errors(int socket, int is_ipv6) {
  int on = 1;
  return is_ipv6 ? setsockopt(socket, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on)
                 : setsockopt(socket, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
}

static void make_room(int socket, int forced, int plain) {
  // As much as the system lets this user have; what is lost all the same is counted.
  int room = 1 << 24;
  if (setsockopt(socket, SOL_SOCKET, forced, &room, sizeof room) != 0)
    (void)setsockopt(socket, SOL_SOCKET, plain, &room, sizeof room);
}

int portproof_reserve_port(struct portproof_endpoint *endpoint, int *descriptor) {
  int result = socket(family_of(endpoint), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (result < 0) return errno;
  struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_fprog program = {.len = 1, .filter = nothing};
  return keep(result,
              setsockopt(result, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0
                  && bind_and_tell(result, endpoint) == 0 && listen(result, 1) == 0,
              descriptor);
}

int portproof_open_sender(const struct portproof_endpoint *source, int *descriptor) {
  int result =
      socket(family_of(source), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
  if (result < 0) return errno;
  make_room(result, SO_SNDBUFFORCE, SO_SNDBUF);
  struct portproof_endpoint address = *source;
  address.port = 0;
  // raw_send_hdrinc() tells of full queues only where errors are asked for.
  return keep(result, queue_errors(result, source->is_ipv6) == 0 && bind_to(result, &address) == 0,
              descriptor);
}

int portproof_open_datagrams(struct portproof_endpoint *source, int is_ping, int *descriptor) {
  int protocol = !is_ping ? IPPROTO_UDP : source->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  int result = socket(family_of(source), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (result < 0) return errno;
  make_room(result, SO_RCVBUFFORCE, SO_RCVBUF);
  make_room(result, SO_SNDBUFFORCE, SO_SNDBUF);
  int on = 1;
  return keep(result,
              queue_errors(result, source->is_ipv6) == 0
                  && setsockopt(result, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) == 0
                  && bind_and_tell(result, source) == 0,
              descriptor);
}

enum { most = 64 };

int portproof_send_packets(int descriptor, const uint8_t *bytes,
                           const struct portproof_outgoing *packets, size_t count, size_t *sent) {
  struct mmsghdr messages[most];
  struct iovec parts[most];
  union address targets[most];
  *sent = 0;
  while (*sent < count) {
    unsigned number = count - *sent < most ? (unsigned)(count - *sent) : most;
    memset(messages, 0, number * sizeof *messages);
    for (unsigned i = 0; i < number; i++) {
      const struct portproof_outgoing *packet = &packets[*sent + i];
      parts[i].iov_base = (void *)(bytes + packet->offset);
      parts[i].iov_len = packet->size;
      messages[i].msg_hdr.msg_name = &targets[i];
      messages[i].msg_hdr.msg_namelen = write_address(&targets[i], &packet->destination);
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    // What is wrong with a message that is not the first is told by the next call.
    int result = sendmmsg(descriptor, messages, number, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result < 0) return errno;
    *sent += (size_t)result;
  }
  return 0;
}

int portproof_receive_datagrams(int descriptor, uint8_t *bytes, size_t slot,
                                struct portproof_incoming *incoming, size_t count, size_t *got,
                                uint32_t *lost) {
  struct mmsghdr messages[most];
  struct iovec parts[most];
  union address sources[most];
  _Alignas(struct cmsghdr) char control[most][CMSG_SPACE(sizeof(uint32_t))];
  unsigned number = count < most ? (unsigned)count : most;
  *got = 0;
  memset(messages, 0, number * sizeof *messages);
  for (unsigned i = 0; i < number; i++) {
    parts[i].iov_base = bytes + i * slot;
    parts[i].iov_len = slot;
    messages[i].msg_hdr.msg_name = &sources[i];
    messages[i].msg_hdr.msg_namelen = sizeof sources[i];
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_control = control[i];
    messages[i].msg_hdr.msg_controllen = sizeof control[i];
  }
  int result = recvmmsg(descriptor, messages, number, MSG_DONTWAIT, NULL);
  if (result < 0) return errno;
  for (int i = 0; i < result; i++) {
    read_address(&incoming[i].source, &sources[i]);
    incoming[i].size = messages[i].msg_len;
    struct msghdr *header = &messages[i].msg_hdr;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(header); each != NULL;
         each = CMSG_NXTHDR(header, each))
      if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SO_RXQ_OVFL)
        memcpy(lost, CMSG_DATA(each), sizeof *lost);
  }
  *got = (size_t)result;
  return 0;
}

int portproof_receive_errors(int descriptor, uint8_t *bytes, size_t slot,
                             struct portproof_socket_error *errors, size_t count, size_t *got) {
  enum { extra = sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6) };
  *got = 0;
  while (*got < count) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(extra) + CMSG_SPACE(sizeof(uint32_t))];
    union address target;
    struct iovec part = {.iov_base = bytes + *got * slot, .iov_len = slot};
    struct msghdr header = {.msg_name = &target,
                            .msg_namelen = sizeof target,
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    memset(&target, 0, sizeof target);
    ssize_t size = recvmsg(descriptor, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN ? 0 : errno;
    struct portproof_socket_error *error = &errors[*got];
    memset(error, 0, sizeof *error);
    read_address(&error->destination, &target);
    error->size = (uint32_t)size;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&header); each != NULL;
         each = CMSG_NXTHDR(&header, each)) {
      if (!(each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_RECVERR)
          && !(each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_RECVERR))
        continue;
      struct sock_extended_err detail;
      memcpy(&detail, CMSG_DATA(each), sizeof detail);
      error->number = detail.ee_errno;
      error->origin = detail.ee_origin;
      error->type = detail.ee_type;
      error->code = detail.ee_code;
      if (each->cmsg_len >= CMSG_LEN(sizeof detail + sizeof(struct sockaddr_in)))
        read_address(&error->offender, CMSG_DATA(each) + sizeof detail);
    }
    *got += 1;
  }
  return 0;
}

int portproof_check_route(const struct portproof_endpoint *source,
                          const struct portproof_endpoint *destination) {
  int scratch = socket(family_of(source), SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
  if (scratch < 0) return errno;
  struct portproof_endpoint from = *source, to = *destination;
  from.port = 0;
  if (to.port == 0) to.port = 9;
  union address address;
  socklen_t size = write_address(&address, &to);
  int status = 0;
  if (bind_to(scratch, &from) != 0 || connect(scratch, &address.any, size) != 0) status = errno;
  close(scratch);
  return status;
}

int portproof_begin_connection(struct portproof_endpoint *source,
                               const struct portproof_endpoint *destination, int segment_size,
                               int *descriptor) {
  int result =
      socket(family_of(source), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (result < 0) return errno;
  int on = 1;
  // Without an own port the kernel chooses one per destination, of which there are more.
  if (source->port == 0)
    (void)setsockopt(result, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  else
    (void)setsockopt(result, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  union address address;
  socklen_t size = write_address(&address, destination);
  if (queue_errors(result, source->is_ipv6) != 0
      || setsockopt(result, IPPROTO_TCP, TCP_MAXSEG, &segment_size, sizeof segment_size) != 0
      || bind_to(result, source) != 0
      || (connect(result, &address.any, size) != 0 && errno != EINPROGRESS))
    return keep(result, 0, descriptor);
  union address own;
  socklen_t own_size = sizeof own;
  struct portproof_endpoint given;
  if (getsockname(result, &own.any, &own_size) == 0) {
    read_address(&given, &own);
    source->port = given.port;
  }
  *descriptor = result;
  return 0;
}

int portproof_connection_state(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  if (error != 0) return error;
  union address peer;
  size = sizeof peer;
  if (getpeername(descriptor, &peer.any, &size) == 0) return 0;
  return errno == ENOTCONN ? EINPROGRESS : errno;
}

int portproof_repeated_segments(int descriptor, uint32_t *count) {
  struct tcp_info facts;
  socklen_t size = sizeof facts;
  memset(&facts, 0, sizeof facts);
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &facts, &size) != 0) return errno;
  *count = facts.tcpi_total_retrans;
  return 0;
}

void portproof_abort_connection(int descriptor) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  (void)setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(descriptor);
}

int portproof_open_poll(int *descriptor) {
  int result = epoll_create1(EPOLL_CLOEXEC);
  if (result < 0) return errno;
  *descriptor = result;
  return 0;
}

int portproof_poll_add(int poll, int descriptor, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u64 = tag};
  return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

int portproof_poll_take(int poll, uint64_t *tags, size_t count, size_t *got) {
  struct epoll_event events[most];
  *got = 0;
  int result = epoll_wait(poll, events, count < most ? (int)count : most, 0);
  if (result < 0) return errno == EINTR ? 0 : errno;
  for (int i = 0; i < result; i++) tags[i] = events[i].data.u64;
  *got = (size_t)result;
  return 0;
}

int portproof_wait_readable(const int *descriptors, size_t count, int64_t nanoseconds) {
  struct pollfd waiting[most];
  if (count > most) return EINVAL;
  for (size_t i = 0; i < count; i++)
    waiting[i] = (struct pollfd){.fd = descriptors[i], .events = POLLIN};
  struct timespec time = {.tv_sec = nanoseconds / 1000000000,
                          .tv_nsec = nanoseconds % 1000000000};
  if (nanoseconds < 0) time.tv_sec = 0, time.tv_nsec = 0;
  return ppoll(waiting, count, &time, NULL) >= 0 || errno == EINTR ? 0 : errno;
}

int portproof_raise_descriptor_limit(uint64_t wanted, uint64_t *limit) {
  struct rlimit now;
  if (getrlimit(RLIMIT_NOFILE, &now) != 0) return errno;
  if (now.rlim_cur < wanted) {
    // Who may raises what others may not go beyond.
    struct rlimit all = {.rlim_cur = wanted, .rlim_max = wanted};
    if (now.rlim_max < wanted && setrlimit(RLIMIT_NOFILE, &all) == 0) now = all;
    struct rlimit more = now;
    more.rlim_cur = now.rlim_max < wanted ? now.rlim_max : wanted;
    // What the system does not give is worked without.
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) now = more;
  }
  *limit = now.rlim_cur;
  return 0;
}

int portproof_drop_capabilities(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  // EINVAL: ambient capabilities are younger than the oldest kernels.
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
    return errno;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
  memset(none, 0, sizeof none);
  return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}
