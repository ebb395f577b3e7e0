#pragma once

#include <stddef.h>
#include <stdint.h>

// Sockets at which this machine is asked. Each function returns 0 or an errno where it does not say
// otherwise.

/// One instruction of a classic BPF program, as `struct sock_filter` has it.
struct portproof_instruction {
  uint16_t code;
  uint8_t when_true;
  uint8_t when_false;
  uint32_t operand;
};

/// An address with a port of TCP or UDP: 4 or 16 octets as on the wire, the port as a number.
struct portproof_socket_address {
  int is_ipv6;
  uint8_t octets[16];
  uint16_t port;
  /// The interface of a link-local address; 0 for every other.
  uint32_t scope;
};

/// A socket of TCP that listens at the endpoint, or one of UDP that is bound to it. The kernel gives
/// it only packets for which the program does not return 0. It does not block.
int portproof_open_bound(int is_stream, const struct portproof_socket_address *endpoint,
                         const struct portproof_instruction *program, size_t count,
                         int *descriptor);

/// Takes a connection off a listener and closes it: the peer sees an orderly end, and nothing of the
/// connection is left here.
int portproof_accept_and_close(int listener, struct portproof_socket_address *peer);

/// Reads a datagram, of which at most `size` octets are taken; `count` is its whole size.
int portproof_receive_datagram(int descriptor, uint8_t *bytes, size_t size, size_t *count,
                               struct portproof_socket_address *sender);

int portproof_send_datagram(int descriptor, const uint8_t *bytes, size_t size,
                            const struct portproof_socket_address *receiver);

/// Lets this process hold as many descriptors as it may; `limit` is how many.
int portproof_raise_open_files(uint64_t *limit);

int portproof_open_epoll(int *descriptor);

/// Has `epoll` tell when `descriptor` can be read, by this number.
int portproof_watch_readable(int epoll, int descriptor, uint64_t number);

/// Waits until one of the descriptors can be read, at most `milliseconds`, and writes the numbers of
/// those that can, at most `capacity`.
int portproof_take_readable(int epoll, uint64_t *numbers, int capacity, int milliseconds,
                            int *count);

/// Whether `descriptor` takes at least 4096 octets without blocking; 0 or 1, and -1 where nobody
/// reads them any more.
int portproof_is_writable(int descriptor, int milliseconds);

/// The interface that has an address, loopbacks included; `name` holds `IFNAMSIZ` octets and becomes
/// empty where none has it.
int portproof_interface_of(const struct portproof_socket_address *address, char name[16],
                           int *is_loopback);
