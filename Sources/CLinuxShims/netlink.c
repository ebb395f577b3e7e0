#define _GNU_SOURCE
#include "CLinuxShims.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Interfaces

static void add_attribute(struct nlmsghdr *message, unsigned short type, const void *value,
                          size_t size) {
  struct nlattr *attribute =
      (struct nlattr *)((char *)message + NLMSG_ALIGN(message->nlmsg_len));
  attribute->nla_type = type;
  attribute->nla_len = (unsigned short)(NLA_HDRLEN + size);
  if (size > 0) memcpy((char *)attribute + NLA_HDRLEN, value, size);
  message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

int portproof_add_interface(const char *name, const char *kind) {
  if (strlen(name) >= IFNAMSIZ || strlen(kind) > 32) return EINVAL;
  union {
    char bytes[256];
    struct nlmsghdr message;
  } request;
  memset(&request, 0, sizeof request);
  request.message.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg));
  request.message.nlmsg_type = RTM_NEWLINK;
  request.message.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  add_attribute(&request.message, IFLA_IFNAME, name, strlen(name) + 1);
  unsigned start = NLMSG_ALIGN(request.message.nlmsg_len);
  struct nlattr *nest = (struct nlattr *)(request.bytes + start);
  add_attribute(&request.message, IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
  add_attribute(&request.message, IFLA_INFO_KIND, kind, strlen(kind));
  nest->nla_len = (unsigned short)(request.message.nlmsg_len - start);

  int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (descriptor < 0) return errno;
  int status = 0;
  char answer[4096];
  ssize_t size = send(descriptor, &request, request.message.nlmsg_len, 0);
  if (size >= 0) size = recv(descriptor, answer, sizeof answer, 0);
  if (size < 0) {
    status = errno;
  } else if ((size_t)size >= NLMSG_LENGTH(sizeof(int))) {
    struct nlmsghdr header;
    struct nlmsgerr result;
    memcpy(&header, answer, sizeof header);
    memcpy(&result.error, answer + NLMSG_HDRLEN, sizeof result.error);
    status = header.nlmsg_type == NLMSG_ERROR ? -result.error : EPROTO;
  } else {
    status = EPROTO;
  }
  close(descriptor);
  return status;
}

// Batches

static atomic_bool is_splitting;

void portproof_split_large_batches(int enabled) { atomic_store(&is_splitting, enabled != 0); }

static ssize_t send_directly(int descriptor, const struct msghdr *message, int flags) {
  return syscall(SYS_sendmsg, descriptor, message, flags);
}

/// How many bytes the socket takes at once, or 0 where the message is no netfilter netlink message.
///
/// net/netlink/af_netlink.c: `if (len > sk->sk_sndbuf - 32)` is EMSGSIZE.
static size_t send_limit(int descriptor) {
  int domain = 0, protocol = 0, size = 0;
  socklen_t length = sizeof(int);
  if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) return 0;
  length = sizeof(int);
  if (getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0) return 0;
  length = sizeof(int);
  if (getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, &length) != 0) return 0;
  if (domain != AF_NETLINK || protocol != NETLINK_NETFILTER || size <= 4096) return 0;
  return (size_t)size - 64;
}

static const struct nlattr *find_attribute(const struct nlmsghdr *message, int type) {
  size_t offset = NLMSG_LENGTH(sizeof(struct nfgenmsg));
  while (offset + NLA_HDRLEN <= message->nlmsg_len) {
    const struct nlattr *attribute = (const struct nlattr *)((const char *)message + offset);
    if (attribute->nla_len < NLA_HDRLEN || offset + attribute->nla_len > message->nlmsg_len) break;
    if ((attribute->nla_type & NLA_TYPE_MASK) == type) return attribute;
    offset += NLA_ALIGN(attribute->nla_len);
  }
  return NULL;
}

static uint32_t flags_of(const struct nlmsghdr *message, int type) {
  const struct nlattr *attribute = find_attribute(message, type);
  if (attribute == NULL || attribute->nla_len < NLA_HDRLEN + 4) return 0;
  const unsigned char *value = (const unsigned char *)attribute + NLA_HDRLEN;
  return (uint32_t)value[0] << 24 | (uint32_t)value[1] << 16 | (uint32_t)value[2] << 8 | value[3];
}

/// Whether an object without a name waits for the rule that uses it after this message.
///
/// Anonymous sets and chains are known by a number that holds within one batch only, so a batch
/// must not end between one of them and its rule.
static int is_waiting_after(const struct nlmsghdr *message, int is_waiting) {
  if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) return is_waiting;
  switch (message->nlmsg_type & 0xff) {
    case NFT_MSG_NEWSET:
      return is_waiting || (flags_of(message, NFTA_SET_FLAGS) & NFT_SET_ANONYMOUS) != 0;
    case NFT_MSG_NEWCHAIN:
      return is_waiting || (flags_of(message, NFTA_CHAIN_FLAGS) & NFT_CHAIN_BINDING) != 0;
    case NFT_MSG_NEWRULE:
      // A rule of an anonymous chain names its chain by number.
      return is_waiting && find_attribute(message, NFTA_RULE_CHAIN_ID) != NULL;
    default: return is_waiting;
  }
}

static ssize_t send_piece(int descriptor, const struct msghdr *message, int flags,
                          const struct nlmsghdr *begin, const char *bytes, size_t size,
                          const struct nlmsghdr *end) {
  struct iovec parts[3] = {
      {.iov_base = (void *)begin, .iov_len = begin->nlmsg_len},
      {.iov_base = (void *)bytes, .iov_len = size},
      {.iov_base = (void *)end, .iov_len = end->nlmsg_len},
  };
  struct msghdr piece = *message;
  piece.msg_iov = parts;
  piece.msg_iovlen = 3;
  return send_directly(descriptor, &piece, flags);
}

/// Whether the kernel has already answered that something in an earlier piece is wrong.
static int has_error(int descriptor) {
  char answer[256];
  ssize_t size = recv(descriptor, answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT);
  if (size < (ssize_t)NLMSG_LENGTH(sizeof(int))) return 0;
  struct nlmsghdr header;
  int error;
  memcpy(&header, answer, sizeof header);
  memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
  return header.nlmsg_type == NLMSG_ERROR && error != 0;
}

static ssize_t send_split(int descriptor, const struct msghdr *message, int flags, char *bytes,
                          size_t size, size_t limit) {
  const struct nlmsghdr *begin = (const struct nlmsghdr *)bytes;
  if (size < NLMSG_HDRLEN || begin->nlmsg_type != NFNL_MSG_BATCH_BEGIN) {
    errno = EMSGSIZE;
    return -1;
  }
  size_t first = NLMSG_ALIGN(begin->nlmsg_len), last = first;
  const struct nlmsghdr *end = NULL;
  for (size_t offset = first; offset + NLMSG_HDRLEN <= size;) {
    const struct nlmsghdr *each = (const struct nlmsghdr *)(bytes + offset);
    if (each->nlmsg_len < NLMSG_HDRLEN || offset + each->nlmsg_len > size) break;
    if (each->nlmsg_type == NFNL_MSG_BATCH_END) {
      end = each;
      last = offset;
    }
    offset += NLMSG_ALIGN(each->nlmsg_len);
  }
  if (end == NULL) {
    errno = EMSGSIZE;
    return -1;
  }
  size_t room = limit - begin->nlmsg_len - end->nlmsg_len;
  size_t from = first, cut = first;
  int is_waiting = 0;
  for (size_t offset = first; offset < last;) {
    const struct nlmsghdr *each = (const struct nlmsghdr *)(bytes + offset);
    size_t next = offset + NLMSG_ALIGN(each->nlmsg_len);
    if (next - from > room && cut > from) {
      if (send_piece(descriptor, message, flags, begin, bytes + from, cut - from, end) < 0)
        return -1;
      if (has_error(descriptor)) return (ssize_t)size;
      from = cut;
    }
    is_waiting = is_waiting_after(each, is_waiting);
    if (!is_waiting) cut = next;
    offset = next;
  }
  if (from < last
      && send_piece(descriptor, message, flags, begin, bytes + from, last - from, end) < 0)
    return -1;
  return (ssize_t)size;
}

/// Stands before glibc's `sendmsg`, which libnftables sends its batches with.
ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
  if (!atomic_load(&is_splitting)) return send_directly(descriptor, message, flags);
  size_t size = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) size += message->msg_iov[i].iov_len;
  size_t limit = send_limit(descriptor);
  if (limit == 0 || size <= limit) return send_directly(descriptor, message, flags);

  char *bytes = malloc(size);
  if (bytes == NULL) return -1;
  size_t offset = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) {
    memcpy(bytes + offset, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    offset += message->msg_iov[i].iov_len;
  }
  ssize_t sent = send_split(descriptor, message, flags, bytes, size, limit);
  int error = errno;
  free(bytes);
  errno = error;
  return sent;
}
