"""Loads the chains of controlplane.yaml as a node of Talos 1.13 does: as bytecode, with sets as
google/nftables v0.3.0 writes them, which calls the keys of every anonymous set big-endian.

To be run in a network namespace of its own; see `record`.
"""

import socket
import struct

INET, IPV4, IPV6 = 1, 2, 10
TABLE, NFTABLES = b"talos", 10
NEWTABLE, NEWCHAIN, NEWRULE, NEWSET, NEWSETELEM = 0, 3, 6, 9, 12
# Numbers of nft's types.
IPADDR, IP6ADDR, SERVICE, ICMP_TYPE, CT_STATE, IFNAME = 7, 8, 13, 14, 26, 41
BIG_ENDIAN = 2


def attribute(kind, payload):
    padding = -len(payload) % 4
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(padding)


def nested(kind, *attributes):
    return attribute(kind | 0x8000, b"".join(attributes))


def u32(kind, value):
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def u64(kind, value):
    return attribute(kind, struct.pack(">Q", value))


def text(kind, value):
    return attribute(kind, value + b"\0")


def expression(name, *attributes):
    return nested(1, text(1, name), nested(2, *attributes))


def data(kind, value):
    return nested(kind, attribute(1, value))


def meta(key):
    return expression(b"meta", u32(1, 1), u32(2, key))


def equal(value):
    return expression(b"cmp", u32(1, 1), u32(2, 0), data(3, value))


def payload(base, offset, length):
    return expression(b"payload", u32(1, 1), u32(2, base), u32(3, offset), u32(4, length))


class Set:
    def __init__(self, kind, length, elements, inverted=False, interval=False):
        self.kind, self.length, self.inverted, self.interval = kind, length, inverted, interval
        self.elements = elements


def ifnames(*names):
    return [meta(6), Set(IFNAME, 16, [name.encode().ljust(16, b"\0") for name in names])]


def states(*bits):
    load = expression(b"ct", u32(1, 1), u32(2, 0))
    if len(bits) > 1:
        return [load, Set(CT_STATE, 4, [struct.pack("=I", bit) for bit in bits])]
    mask, zero = struct.pack("=I", bits[0]), bytes(4)
    test = expression(b"bitwise", u32(1, 1), u32(2, 1), u32(3, 4), data(4, mask), data(5, zero))
    return [load, test, expression(b"cmp", u32(1, 1), u32(2, 1), data(3, zero))]


def transport(number):
    return [meta(16), equal(bytes([number]))]


def family(number):
    return [meta(15), equal(bytes([number]))]


def interval(low, high):
    """The first and the one after the last."""
    end = (int.from_bytes(high, "big") + 1).to_bytes(len(high), "big")
    return (low, end)


def address(low, high, destination=False, inverted=False):
    is_v4 = "." in low
    pack = lambda words: socket.inet_pton(socket.AF_INET if is_v4 else socket.AF_INET6, words)
    offset = (16 if destination else 12) if is_v4 else (24 if destination else 8)
    length = 4 if is_v4 else 16
    return family(IPV4 if is_v4 else IPV6) + [
        payload(1, offset, length),
        Set(IPADDR if is_v4 else IP6ADDR, length, [interval(pack(low), pack(high))], inverted, True),
    ]


def port(number):
    low = struct.pack(">H", number)
    return [payload(2, 2, 2), Set(SERVICE, 2, [interval(low, low)], interval=True)]


def icmp_types(*types):
    return [payload(2, 0, 1), Set(ICMP_TYPE, 1, [bytes([kind]) for kind in types])]


def limit(rate):
    return [expression(b"limit", u64(1, rate), u64(2, 1), u32(3, rate), u32(4, 0))]


def verdict(code):
    counter = expression(b"counter", u64(1, 0), u64(2, 0))
    value = nested(2, nested(2, u32(1, code)))
    return [counter, expression(b"immediate", u32(1, 0), value)]


ACCEPT, DROP = verdict(1), verdict(0)
INVALID, ESTABLISHED, RELATED, NEW = 1, 2, 4, 8
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58


class Batch:
    def __init__(self):
        self.messages, self.sequence, self.sets = b"", 0, 0

    def message(self, kind, family, resource, body, flags=0):
        header = struct.pack(">BBH", family, 0, resource)
        length = 16 + len(header) + len(body)
        self.messages += struct.pack("=IHHII", length, kind, 1 | flags, self.sequence, 0)
        self.messages += header + body
        self.sequence += 1

    def nft(self, kind, *attributes, flags=0x400):
        self.message(NFTABLES << 8 | kind, INET, 0, b"".join(attributes), flags)

    def chain(self, name, hook, priority, policy):
        self.nft(
            NEWCHAIN, text(1, TABLE), text(3, name), nested(4, u32(1, hook), u32(2, priority)),
            u32(5, policy), text(7, b"filter"))

    def lookup(self, made):
        self.sets += 1
        name = b"__set%d"
        # ANONYMOUS, CONSTANT, INTERVAL.
        flags = 1 | 2 | (4 if made.interval else 0)
        userdata = struct.pack("=BBI", 0, 4, BIG_ENDIAN)
        self.nft(
            NEWSET, text(1, TABLE), text(2, name), u32(3, flags), u32(4, made.kind),
            u32(5, made.length), u32(10, self.sets), attribute(13, userdata))
        elements = []
        for element in made.elements:
            low, end = element if made.interval else (element, None)
            elements.append(nested(1, data(1, low)))
            if end is not None:
                elements.append(nested(1, data(1, end), u32(3, 1)))
        self.nft(
            NEWSETELEM, text(1, TABLE), text(2, name), u32(4, self.sets), nested(3, *elements))
        return expression(
            b"lookup", text(1, name), u32(2, 1), u32(4, self.sets), u32(5, int(made.inverted)))

    def rule(self, chain, *parts):
        expressions = [
            self.lookup(one) if isinstance(one, Set) else one for part in parts for one in part]
        # NLM_F_CREATE and NLM_F_APPEND.
        self.nft(NEWRULE, text(1, TABLE), text(2, chain), nested(4, *expressions), flags=0xC00)

    def send(self):
        link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        link.bind((0, 0))
        link.send(self.messages)
        link.settimeout(1)
        answer = b""
        try:
            answer = link.recv(65536)
        except TimeoutError:
            pass
        while len(answer) >= 20:
            length, kind, _, sequence, _ = struct.unpack_from("=IHHII", answer)
            error = struct.unpack_from("=i", answer, 16)[0]
            if kind == 2 and error != 0:
                raise OSError(-error, f"message {sequence}")
            answer = answer[(length + 3) & ~3:]


batch = Batch()
batch.message(16, 0, NFTABLES, b"")
batch.nft(NEWTABLE, text(1, TABLE))
batch.chain(b"ingress", 1, -140, 0)
batch.chain(b"prerouting", 0, -110, 1)
trusted = ifnames("lo", "siderolink", "kubespan")
nodes = ("172.20.0.0", "172.20.0.255")

batch.rule(b"ingress", trusted, ACCEPT)
batch.rule(b"ingress", states(ESTABLISHED, RELATED), ACCEPT)
batch.rule(b"ingress", states(INVALID), DROP)
batch.rule(b"ingress", transport(ICMP), icmp_types(13, 14, 17, 18), DROP)
batch.rule(b"ingress", transport(ICMP), limit(5), ACCEPT)
batch.rule(b"ingress", transport(ICMPV6), limit(5), ACCEPT)
batch.rule(b"ingress", transport(TCP), address(*nodes), port(10250), ACCEPT)
for number in (IPV4, IPV6):
    batch.rule(b"ingress", transport(TCP), family(number), port(50000), ACCEPT)

own = {"destination": True, "inverted": True}
batch.rule(b"prerouting", trusted, ACCEPT)
batch.rule(b"prerouting", address("172.20.0.2", "172.20.0.2", **own), ACCEPT)
batch.rule(b"prerouting", address("fd00::2", "fd00::2", **own), ACCEPT)
batch.rule(b"prerouting", states(NEW), transport(TCP), address(*nodes), port(10250), ACCEPT)
for number in (IPV4, IPV6):
    batch.rule(b"prerouting", states(NEW), transport(TCP), family(number), port(50000), ACCEPT)
batch.rule(b"prerouting", states(NEW), transport(TCP), DROP)
batch.rule(b"prerouting", states(NEW), transport(UDP), DROP)
batch.message(17, 0, NFTABLES, b"")
batch.send()
