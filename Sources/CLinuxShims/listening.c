#define _GNU_SOURCE
#include "Listening.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
  struct sockaddr any;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

static socklen_t to_address(const struct portproof_socket_address *endpoint, union address *address) {
  memset(address, 0, sizeof *address);
  if (endpoint->is_ipv6) {
    address->ipv6.sin6_family = AF_INET6;
    address->ipv6.sin6_port = htons(endpoint->port);
    address->ipv6.sin6_scope_id = endpoint->scope;
    memcpy(&address->ipv6.sin6_addr, endpoint->octets, 16);
    return sizeof address->ipv6;
  }
  address->ipv4.sin_family = AF_INET;
  address->ipv4.sin_port = htons(endpoint->port);
  memcpy(&address->ipv4.sin_addr, endpoint->octets, 4);
  return sizeof address->ipv4;
}

static void to_endpoint(const union address *address, struct portproof_socket_address *endpoint) {
  memset(endpoint, 0, sizeof *endpoint);
  if (address->any.sa_family == AF_INET6) {
    endpoint->is_ipv6 = 1;
    endpoint->port = ntohs(address->ipv6.sin6_port);
    endpoint->scope = address->ipv6.sin6_scope_id;
    memcpy(endpoint->octets, &address->ipv6.sin6_addr, 16);
  } else {
    endpoint->port = ntohs(address->ipv4.sin_port);
    memcpy(endpoint->octets, &address->ipv4.sin_addr, 4);
  }
}

/// The interface that has a link-local address, or 0.
static uint32_t scope_of(const struct in6_addr *wanted) {
  struct ifaddrs *list;
  if (getifaddrs(&list) != 0) return 0;
  uint32_t scope = 0;
  for (struct ifaddrs *each = list; each != NULL && scope == 0; each = each->ifa_next) {
    if (each->ifa_addr == NULL || each->ifa_addr->sa_family != AF_INET6) continue;
    const struct sockaddr_in6 *own = (const struct sockaddr_in6 *)each->ifa_addr;
    if (memcmp(&own->sin6_addr, wanted, sizeof *wanted) == 0) scope = own->sin6_scope_id;
  }
  freeifaddrs(list);
  return scope;
}

static int set(int socket, int level, int name, int value) {
  return setsockopt(socket, level, name, &value, sizeof value);
}

static int set_up(int socket, int is_stream, const struct portproof_socket_address *endpoint,
                  const struct portproof_instruction *program, size_t count) {
  _Static_assert(sizeof(struct portproof_instruction) == sizeof(struct sock_filter), "one layout");
  struct sock_fprog filter = {
      .len = (unsigned short)count, .filter = (struct sock_filter *)program};
  // Before the socket has a port: no packet comes past the filter.
  if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) return -1;
  if (endpoint->is_ipv6 && set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0) return -1;
  if (is_stream) {
    // Connections that another program has had at the port do not keep it.
    if (set(socket, SOL_SOCKET, SO_REUSEADDR, 1) != 0) return -1;
    // A SYN and ACK is sent again once at most, and a connection that was closed here is forgotten
    // as soon as its peer has acknowledged that; accepted ones inherit both.
    if (set(socket, IPPROTO_TCP, TCP_SYNCNT, 1) != 0) return -1;
    if (set(socket, IPPROTO_TCP, TCP_LINGER2, -1) != 0) return -1;
  } else {
    // A burst to one port is to wait for its turn; what is not used takes no memory.
    int room = 1 << 22;
    if (set(socket, SOL_SOCKET, SO_RCVBUFFORCE, room) != 0)
      (void)set(socket, SOL_SOCKET, SO_RCVBUF, room);
  }
  union address address;
  socklen_t length = to_address(endpoint, &address);
  if (endpoint->is_ipv6 && IN6_IS_ADDR_LINKLOCAL(&address.ipv6.sin6_addr)
      && address.ipv6.sin6_scope_id == 0)
    address.ipv6.sin6_scope_id = scope_of(&address.ipv6.sin6_addr);
  if (bind(socket, &address.any, length) != 0) return -1;
  return is_stream ? listen(socket, 4096) : 0;
}

int portproof_open_bound(int is_stream, const struct portproof_socket_address *endpoint,
                         const struct portproof_instruction *program, size_t count,
                         int *descriptor) {
  int type = (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  int result = socket(endpoint->is_ipv6 ? AF_INET6 : AF_INET, type, 0);
  if (result < 0) return errno;
  if (set_up(result, is_stream, endpoint, program, count) != 0) {
    int error = errno;
    close(result);
    return error;
  }
  *descriptor = result;
  return 0;
}

int portproof_accept_and_close(int listener, struct portproof_socket_address *peer) {
  union address address;
  socklen_t length = sizeof address;
  memset(&address, 0, sizeof address);
  int connection = accept4(listener, &address.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection < 0) return errno;
  to_endpoint(&address, peer);
  close(connection);
  return 0;
}

int portproof_receive_datagram(int descriptor, uint8_t *bytes, size_t size, size_t *count,
                               struct portproof_socket_address *sender) {
  union address address;
  socklen_t length = sizeof address;
  memset(&address, 0, sizeof address);
  ssize_t result = recvfrom(descriptor, bytes, size, MSG_TRUNC, &address.any, &length);
  if (result < 0) return errno;
  *count = (size_t)result;
  to_endpoint(&address, sender);
  return 0;
}

int portproof_send_datagram(int descriptor, const uint8_t *bytes, size_t size,
                            const struct portproof_socket_address *receiver) {
  union address address;
  socklen_t length = to_address(receiver, &address);
  return sendto(descriptor, bytes, size, MSG_NOSIGNAL, &address.any, length) >= 0 ? 0 : errno;
}

int portproof_raise_open_files(uint64_t *limit) {
  struct rlimit now;
  if (getrlimit(RLIMIT_NOFILE, &now) != 0) return errno;
  // `fs.nr_open` is the most that a privileged process may have.
  FILE *file = fopen("/proc/sys/fs/nr_open", "re");
  unsigned long long most = 0;
  if (file != NULL) {
    if (fscanf(file, "%llu", &most) != 1) most = 0;
    fclose(file);
  }
  struct rlimit wanted = {.rlim_cur = most, .rlim_max = most};
  if (most <= now.rlim_max || setrlimit(RLIMIT_NOFILE, &wanted) != 0) {
    wanted = (struct rlimit){.rlim_cur = now.rlim_max, .rlim_max = now.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &wanted) != 0) return errno;
  }
  *limit = wanted.rlim_cur;
  return 0;
}

int portproof_open_epoll(int *descriptor) {
  int result = epoll_create1(EPOLL_CLOEXEC);
  if (result < 0) return errno;
  *descriptor = result;
  return 0;
}

int portproof_watch_readable(int epoll, int descriptor, uint64_t number) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = number}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

int portproof_take_readable(int epoll, uint64_t *numbers, int capacity, int milliseconds,
                            int *count) {
  enum { most = 256 };
  struct epoll_event events[most];
  *count = 0;
  int result = epoll_wait(epoll, events, capacity < most ? capacity : most, milliseconds);
  if (result < 0) return errno;
  for (int i = 0; i < result; i++) numbers[i] = events[i].data.u64;
  *count = result;
  return 0;
}

int portproof_is_writable(int descriptor, int milliseconds) {
  struct pollfd waiting = {.fd = descriptor, .events = POLLOUT};
  if (poll(&waiting, 1, milliseconds) <= 0) return 0;
  if ((waiting.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return -1;
  return (waiting.revents & POLLOUT) != 0;
}

int portproof_interface_of(const struct portproof_socket_address *address, char name[16],
                           int *is_loopback) {
  struct ifaddrs *list;
  if (getifaddrs(&list) != 0) return errno;
  memset(name, 0, IFNAMSIZ);
  for (struct ifaddrs *each = list; each != NULL; each = each->ifa_next) {
    if (each->ifa_addr == NULL) continue;
    int family = each->ifa_addr->sa_family;
    if (family != (address->is_ipv6 ? AF_INET6 : AF_INET)) continue;
    const void *own = family == AF_INET6
                          ? (const void *)&((struct sockaddr_in6 *)each->ifa_addr)->sin6_addr
                          : (const void *)&((struct sockaddr_in *)each->ifa_addr)->sin_addr;
    if (memcmp(own, address->octets, family == AF_INET6 ? 16 : 4) != 0) continue;
    // `ifa_name` is the address's label, which may go on behind the name: eth0:1.
    size_t length = strcspn(each->ifa_name, ":");
    if (length >= IFNAMSIZ) length = IFNAMSIZ - 1;
    memcpy(name, each->ifa_name, length);
    *is_loopback = (each->ifa_flags & IFF_LOOPBACK) != 0;
    break;
  }
  freeifaddrs(list);
  return 0;
}
