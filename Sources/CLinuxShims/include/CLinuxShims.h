#pragma once

#include <stddef.h>
#include <stdint.h>

#include "Listening.h"

// What Swift's Glibc module does not offer: macros, variadic functions, and calls behind _GNU_SOURCE.

/// The environment of this process, for `posix_spawn`.
char *const *portproof_environment(void);

/// `pipe2(2)` whose ends are closed on exec, with room for `size` bytes where the system allows it.
/// Returns 0 or an errno.
int portproof_pipe(int *reader, int *writer, int size);

/// `mkostemp(3)`: opens a new file whose name replaces the six X at the end of `path`.
/// Returns -1 with errno set.
int portproof_make_temporary(char *path);

/// `memmem(3)`: where `needle` begins in `bytes`, or -1.
ptrdiff_t portproof_find(const void *bytes, size_t count, const void *needle, size_t length);

/// `unshare(2)`: a new user namespace, a new network namespace, or both. Returns 0 or an errno.
int portproof_unshare_user(void);
int portproof_unshare_network(void);

/// `setns(2)`: has the thread enter the network namespace of a file of `/proc/PID/ns`.
/// Returns 0 or an errno.
int portproof_enter_network(int descriptor);

/// Asks the kernel to kill this process when its parent dies. Returns 0 or an errno.
int portproof_die_with_parent(void);

/// Limits core files to nothing and memory and processor time to the given sizes.
/// Returns 0 or an errno.
int portproof_limit_resources(uint64_t memory_bytes, uint64_t processor_seconds);

/// Limits core files to nothing and memory to the given size. Returns 0 or an errno.
int portproof_limit_memory(uint64_t bytes);

/// Ends this process, from a thread of its own, as soon as nobody holds the other end of `input` or
/// of `output`, which are sockets or pipes. Returns 0 or an errno.
int portproof_end_with_peer(int input, int output);

/// Two connected stream sockets that are closed on exec. Returns 0 or an errno.
int portproof_socket_pair(int *one, int *other);

/// The columns of the terminal on `descriptor`, or 0.
int portproof_terminal_columns(int descriptor);

/// Counts SIGINT and SIGTERM in a thread of its own instead of ending the process; the second one
/// ends it, with status 130. Returns 0 or an errno.
int portproof_watch_interruptions(void);

/// How many of the watched signals have come.
int portproof_interruptions(void);

/// Starts `path` with `arguments` (ending in NULL): standard input (/dev/null where it is -1),
/// standard output and standard error are the given descriptors, no other is inherited, no signal
/// is blocked, and SIGPIPE, SIGINT and SIGTERM are as by default.
/// Returns 0 or an errno.
int portproof_spawn(const char *path, char *const arguments[], int input, int output, int errors,
                    int *child);

/// `memfd_create(2)`: an empty file without a name, closed on exec. Returns 0 or an errno.
int portproof_memory_file(int *descriptor);

/// Keeps this process on the processor that it runs on. Returns 0 or an errno.
int portproof_stay_on_this_processor(void);

/// The status of a waited-for child: 0 and the exit status, or 1 and the signal.
int portproof_decode_status(int status, int *value);

/// An address of an interface: 4 or 16 octets, as on the wire.
struct portproof_address {
  int is_ipv6;
  uint8_t octets[16];
};

/// Writes the addresses of all interfaces but loopbacks, at most `capacity`, and how many there are.
/// Returns 0 or an errno.
int portproof_own_addresses(struct portproof_address *addresses, int capacity, int *count);

/// Adds a network interface of the given kind (`veth`, `dummy`) to this network namespace.
/// Returns 0 or an errno.
int portproof_add_interface(const char *name, const char *kind);

/// Splits netlink batches of nf_tables that are larger than their socket can send.
///
/// While it is on, `sendmsg` of this program sends such a batch as several. The whole is no longer
/// one transaction, so it is for namespaces that nobody else sees.
void portproof_split_large_batches(int enabled);

// Sockets. Each function returns 0 or an errno.

/// A netlink socket of the given protocol (`NETLINK_ROUTE` is 0, `NETLINK_NETFILTER` is 12) whose
/// reads end with EAGAIN after `patience` milliseconds.
int portproof_open_netlink(int protocol, int patience, int *descriptor);

/// How many octets the receive buffer of a socket holds, with what the kernel adds to them; or 0.
int portproof_receive_room(int descriptor);

/// A packet socket that only sends.
int portproof_open_link(int *descriptor);

/// A frame in a row of bytes, and the interface that it goes out by.
struct portproof_frame {
  uint32_t interface;
  uint32_t offset;
  uint32_t size;
};

/// Sends frames in their order until one cannot be sent; `sent` says how many were.
int portproof_send_frames(int descriptor, const uint8_t *bytes, const struct portproof_frame *frames,
                          size_t count, size_t *sent);

/// A raw socket that sends packets with the IP header that it is given.
int portproof_open_raw(int is_ipv6, int *descriptor);

/// Sends a packet to the address; of IPv4, the first four octets count.
int portproof_send_raw(int descriptor, int is_ipv6, const uint8_t destination[16],
                       const uint8_t *bytes, size_t size);

#include "Probes.h"
