#pragma once

#include <stddef.h>
#include <stdint.h>

// Sockets that ask the network. Each function returns 0 or an errno.

/// An address and port: the address as a number, of IPv4 in the low 32 bits.
struct portproof_endpoint {
  uint64_t high;
  uint64_t low;
  uint16_t port;
  uint8_t is_ipv6;
};

/// A packet or datagram in a row of bytes, and where it goes.
struct portproof_outgoing {
  struct portproof_endpoint destination;
  uint32_t offset;
  uint32_t size;
};

/// A datagram that came in; its bytes lie in its slot.
struct portproof_incoming {
  struct portproof_endpoint source;
  uint32_t size;
};

/// An entry of a socket's error queue; the payload that was sent lies in its slot.
struct portproof_socket_error {
  /// Where what was sent went.
  struct portproof_endpoint destination;
  /// Who says so.
  struct portproof_endpoint offender;
  uint32_t size;
  uint32_t number;
  /// `SO_EE_ORIGIN_LOCAL` is 1, `SO_EE_ORIGIN_ICMP` 2, `SO_EE_ORIGIN_ICMP6` 3.
  uint8_t origin;
  uint8_t type;
  uint8_t code;
};

/// A listening TCP socket that never gets a packet, as a filter takes them all; port 0 is replaced
/// by the one that was given.
int portproof_reserve_port(struct portproof_endpoint *endpoint, int *descriptor);

/// A raw socket that sends packets with their headers from an address; it receives nothing.
int portproof_open_sender(const struct portproof_endpoint *source, int *descriptor);

/// A datagram socket with an error queue: UDP, or with `is_ping` echo requests. Port 0 is replaced
/// by the port (the identifier) that was given.
int portproof_open_datagrams(struct portproof_endpoint *source, int is_ping, int *descriptor);

/// Sends without waiting until one cannot be sent; `sent` says how many were.
int portproof_send_packets(int descriptor, const uint8_t *bytes,
                           const struct portproof_outgoing *packets, size_t count, size_t *sent);

/// Takes what has come in, at most `count`, without waiting, each into a slot of `slot` bytes.
int portproof_receive_datagrams(int descriptor, uint8_t *bytes, size_t slot,
                                struct portproof_incoming *incoming, size_t count, size_t *got,
                                uint32_t *lost);

/// Takes what the error queue holds, at most `count`, without waiting.
int portproof_receive_errors(int descriptor, uint8_t *bytes, size_t slot,
                             struct portproof_socket_error *errors, size_t count, size_t *got);

/// Whether a datagram from `source` to `destination` has a route: the errno of `connect(2)` of a
/// socket that sends nothing.
int portproof_check_route(const struct portproof_endpoint *source,
                          const struct portproof_endpoint *destination);

/// Begins a TCP connection with an error queue; source port 0 is replaced by the one that was
/// given. A connection that is under way is no error.
int portproof_begin_connection(struct portproof_endpoint *source,
                               const struct portproof_endpoint *destination, int segment_size,
                               int *descriptor);

/// What became of a connection: an errno (0: established; EINPROGRESS: nothing yet).
int portproof_connection_state(int descriptor);

/// How many SYNs the kernel has repeated by itself.
int portproof_repeated_segments(int descriptor, uint32_t *count);

/// Closes a connection by a reset instead of a handshake.
void portproof_abort_connection(int descriptor);

/// `epoll_create1(2)`.
int portproof_open_poll(int *descriptor);

/// Has a poll tell `tag` when a socket can be read or written or has failed.
int portproof_poll_add(int poll, int descriptor, uint64_t tag);

/// Takes what a poll has to tell, at most `count`, without waiting.
int portproof_poll_take(int poll, uint64_t *tags, size_t count, size_t *got);

/// Waits until one of the descriptors can be read or has failed, at most so many nanoseconds.
int portproof_wait_readable(const int *descriptors, size_t count, int64_t nanoseconds);

/// Raises the number of descriptors that this process may have open, up to `wanted` where the
/// system allows it; `limit` says how many it may have.
int portproof_raise_descriptor_limit(uint64_t wanted, uint64_t *limit);

/// Gives up every capability of this thread, for good.
int portproof_drop_capabilities(void);
