"""Which addresses are those of somebody else on the internet, and not of our own network."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses in which one of IPv4 stands, and after how many bits: NAT64's, which may be the way to anywhere.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What is_global of some version of Python lets by:
_NEVER = tuple(map(ipaddress.ip_network, (
    # Nobody needs these any more, and they lead wherever the address says that stands in them: 6to4,
    # IPv4-compatible addresses, and NAT64's of a network's own. And site-local ones, as private ones were
    # called.
    "2002::/16", "192.88.99.0/24", "::/96", "64:ff9b:1::/48", "fec0::/10",
    # Protocols' own: Teredo, and what answers in every network to the same address, as its router.
    "2001::/23", "192.0.0.0/24",
    # Of examples, since 2024.
    "3fff::/20",
    # What tells a machine at Azure about itself.
    "168.63.129.16/32",
)))  # fmt: skip


def may_be_told(address: Address, *, loopback: bool) -> bool:
    """Return whether something may be delivered to an address: a public one, or a loopback one where that is
    allowed."""
    return is_public(address) or (loopback and address.is_loopback)


def is_public(address: Address) -> bool:
    """Return whether an address is anybody's on the internet: neither private, loopback, link-local,
    multicast nor reserved, nor one of IPv6 in which such a one of IPv4 stands."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
