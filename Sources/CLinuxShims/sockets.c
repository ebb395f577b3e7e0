#define _GNU_SOURCE
#include "CLinuxShims.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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

int portproof_open_netlink(int protocol, int patience, int *descriptor) {
  int result = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (result < 0) return errno;
  // As much as the system lets this user have; less is noticed when a message is lost.
  int room = 1 << 24;
  if (setsockopt(result, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
    (void)setsockopt(result, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  struct timeval time = {.tv_sec = patience / 1000, .tv_usec = patience % 1000 * 1000};
  // With an address of its own, without which it would be taken for the sender of notifications.
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  return keep(result,
              setsockopt(result, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0
                  && bind(result, (const struct sockaddr *)&address, sizeof address) == 0,
              descriptor);
}

int portproof_receive_room(int descriptor) {
  int room = 0;
  socklen_t length = sizeof room;
  return getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, &length) == 0 ? room : 0;
}

int portproof_open_link(int *descriptor) {
  // Protocol 0: nothing is received.
  int result = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (result < 0) return errno;
  int on = 1;
  return keep(result, setsockopt(result, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) == 0,
              descriptor);
}

int portproof_send_frames(int descriptor, const uint8_t *bytes, const struct portproof_frame *frames,
                          size_t count, size_t *sent) {
  enum { most = 64 };
  struct mmsghdr messages[most];
  struct iovec parts[most];
  struct sockaddr_ll targets[most];
  *sent = 0;
  while (*sent < count) {
    unsigned number = count - *sent < most ? (unsigned)(count - *sent) : most;
    memset(messages, 0, number * sizeof *messages);
    memset(targets, 0, number * sizeof *targets);
    for (unsigned i = 0; i < number; i++) {
      const struct portproof_frame *frame = &frames[*sent + i];
      targets[i].sll_family = AF_PACKET;
      targets[i].sll_ifindex = (int)frame->interface;
      parts[i].iov_base = (void *)(bytes + frame->offset);
      parts[i].iov_len = frame->size;
      messages[i].msg_hdr.msg_name = &targets[i];
      messages[i].msg_hdr.msg_namelen = sizeof targets[i];
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    // What is wrong with a message that is not the first is told by the next call.
    int result = sendmmsg(descriptor, messages, number, 0);
    if (result < 0) return errno;
    *sent += (size_t)result;
  }
  return 0;
}

int portproof_open_raw(int is_ipv6, int *descriptor) {
  // IPPROTO_RAW: the header is given, for both families, and nothing is received.
  int result = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (result < 0) return errno;
  *descriptor = result;
  return 0;
}

int portproof_send_raw(int descriptor, int is_ipv6, const uint8_t destination[16],
                       const uint8_t *bytes, size_t size) {
  struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
  struct sockaddr_in ipv4 = {.sin_family = AF_INET};
  memcpy(&ipv6.sin6_addr, destination, 16);
  memcpy(&ipv4.sin_addr, destination, 4);
  const struct sockaddr *address =
      is_ipv6 ? (const struct sockaddr *)&ipv6 : (const struct sockaddr *)&ipv4;
  socklen_t length = is_ipv6 ? sizeof ipv6 : sizeof ipv4;
  return sendto(descriptor, bytes, size, 0, address, length) >= 0 ? 0 : errno;
}
