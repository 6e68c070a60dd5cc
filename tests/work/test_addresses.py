"""Nothing is delivered into our own network, however its address is written."""

import ipaddress
import socket

import pytest

from service.model.addresses import is_public, may_be_told
from service.model.identifiers import Malformed
from service.model.webhooks import MAX_URL, may_be_reached, webhook_url
from service.work import sending
from service.work.sending import FORBIDDEN, NOT_FOUND, UNREACHABLE, send
from tests.support.cases import cases
from tests.support.receivers import bad_receiver, receiver
from tests.support.servers import TIMEOUT

PRIVATE = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",  # noqa: S104 - to be refused
    "172.16.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.100.100.200", "100.127.255.255", "0.1.2.3",
    "10.255.255.255", "172.31.255.255", "192.0.0.9", "192.0.0.192", "192.0.2.255", "198.51.100.1",
    "203.0.113.1", "198.19.255.255", "168.63.129.16", "224.0.0.251", "::", "::1", "::10.0.0.1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:5db8:d822::", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    "ff0e::1", "2001:0:7f00:1::", "2001:0:5db8:d822::1", "2001:1::1", "2001:10::1", "2001:20::1",
    "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "::ffff:0:127.0.0.1", "::127.0.0.1",
    "::ffff:7f00:1", "::ffff:0.0.0.0", "fd00:ec2::254", "fe80::a9fe:a9fe", "febf::1", "3fff::1",
    "5f00::1", "4000::1",
]  # fmt: skip
PUBLIC = [
    "93.184.216.34", "1.1.1.1", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::1.1.1.1",
    # Next to those of our own network.
    "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1",
    "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.167.255.255", "192.169.0.1", "223.255.255.255",
    "2001:200::1", "2001:4860:4860::8888", "2003::1", "2a00:1450::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_our_own_network_is_refused(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_somebody_else_is_not(address):
    assert is_public(ipaddress.ip_address(address))


@cases(
    "address, allowed",
    ("IPv4", "127.0.0.1", True),
    ("IPv6", "::1", True),
    ("private", "10.0.0.1", False),
    ("link-local", "169.254.169.254", False),
)
def test_loopback_alone_may_be_allowed(address, allowed):
    found = ipaddress.ip_address(address)

    assert may_be_told(found, loopback=True) is allowed
    assert not may_be_told(found, loopback=False)


ODD = [
    "", "shop.example.org", "//shop.example.org/", "ftp://shop.example.org/", "javascript:alert(1)",
    "https://", "https:///path", "https://user@shop.example.org/", "https://user:pw@shop.example.org/",
    "https://@shop.example.org/", "https://shop.example.org/#part", "https://shop.example.org:0/",
    "https://shop.example.org:65536/", "https://shop.example.org:x/", "https://shop.example.org/a b",
    "https://shop.example.org\\@localhost/", "https://shöp.example.org/", "https://shop.example.org./",
    "https://.example.org/", "https://a..b/", "https://-a.example.org/", "https://a-.example.org/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/",
    "https://127.0.0.1./", "https://127.0.0.01/", "https://[::1%25eth0]/", "https://[::1", "https://[1.2.3.4]/",
    "https://" + "a" * 64 + ".org/", "https://" + ".".join(["a" * 60] * 5) + "/",
    "https://shop.example.org/" + "a" * MAX_URL, "https://shop.example.org/\n", "https://shop.%65xample.org/",
]  # fmt: skip


@pytest.mark.parametrize("url", ODD)
def test_a_url_that_is_not_plainly_one_is_refused(url):
    with pytest.raises(Malformed) as refused:
        webhook_url(url)

    assert refused.value.code == "invalid-url"


PLAIN = [
    "https://shop.example.org", "https://shop.example.org:8443/hook?key=a%20b", "https://a_b.example.org/",
    "https://xn--shp-sna.example.org/", "https://93.184.216.34/", "https://[2606:2800:220:1::1]:8443/",
    "http://localhost:8000/",
]  # fmt: skip


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_url_is_taken_as_it_is(url):
    assert webhook_url(url) == url


# How this machine is written by those who hope that not everybody reads it alike.
OURSELVES = [
    "localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "0",
    "0.0.0.0", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "2130706433", "017700000001", "0177.0.0.1",  # noqa: S104 - to be refused
    "127.0.0.01", "127.255.0.1", "00000000177.0.0.1", "4294967296", "[::1]", "[::]",
    "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::1%25lo]", "[::1%lo]",
    "[fe80::1%25lo]", "[::1]%25lo", "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "loc%61lhost",
    "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021",
    "127\uff0e0\uff0e0\uff0e1", "l\u24deCalho\u017ft", "\u0661\u0662\u0667.0.0.1",
    "shop.invalid@127.0.0.1", "shop.invalid:80@127.0.0.1", "127.0.0.1:80@127.0.0.1",
    "shop.invalid%00@127.0.0.1", "127.0.0.1\\@shop.invalid", "127.0.0.1%00.shop.invalid",
]  # fmt: skip


@pytest.fixture
def listening():
    """Listen on this machine, at all its addresses."""
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as found:
        found.setblocking(False)
        yield found


def is_taken(url, *, loopback):
    """Whether a webhook may have this URL."""
    try:
        return may_be_reached(webhook_url(url), loopback=loopback)
    except Malformed:
        return False


@pytest.mark.parametrize("host", OURSELVES, ids=ascii)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_however_this_machine_is_written_it_is_not_called(listening, scheme, host, monkeypatch):
    # A name server may take its time.
    monkeypatch.setattr(sending, "TIMEOUT", 2 * TIMEOUT)
    url = f"{scheme}://{host}:{listening.getsockname()[1]}/"

    # A name is looked up when it counts.
    is_a_name = host.lower() == "localhost" and scheme == "https"
    assert is_taken(url, loopback=False) is is_a_name
    assert send(url, b"{}", {}, loopback=False).error in (FORBIDDEN, NOT_FOUND)
    with pytest.raises(BlockingIOError):
        listening.accept()


def test_a_name_that_is_ours_when_it_is_looked_up_again_leads_nowhere_else(listening, monkeypatch):
    answers, called = ["93.184.216.34", "127.0.0.1", "127.0.0.1"], []

    def look_up(_host, _port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), 0))]

    def connect(_, address):
        called.append(address)
        raise OSError

    port = listening.getsockname()[1]
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)

    assert send(f"https://shop.invalid:{port}/", b"{}", {}, loopback=False).error == UNREACHABLE
    assert called == [("93.184.216.34", port)]
    assert send(f"https://shop.invalid:{port}/", b"{}", {}, loopback=False).error == FORBIDDEN
    assert len(called) == 1


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_asked(listening, monkeypatch, name):
    proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
    for spelling in (name, name.lower()):
        monkeypatch.setenv(spelling, proxy)
    for spelling in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(spelling, raising=False)

    with receiver() as found:
        attempts = [
            send(url, b"{}", {}, loopback=True).error
            for url in (found.url, found.url.replace("http:", "https:"), "http://shop.invalid/")
        ]

    assert len(found.requests) == 1
    assert attempts == [None, UNREACHABLE, NOT_FOUND]
    with pytest.raises(BlockingIOError):
        listening.accept()


def test_a_redirect_into_our_network_is_not_followed(listening):
    def redirect(connection, _):
        to = f"Location: http://127.0.0.1:{listening.getsockname()[1]}/"
        connection.sendall(f"HTTP/1.1 307 Temporary Redirect\r\n{to}\r\nContent-Length: 0\r\n\r\n".encode())

    with bad_receiver(redirect) as found:
        assert send(found.url, b"{}", {}, loopback=True).status == 307

    with pytest.raises(BlockingIOError):
        listening.accept()


@cases(
    "url, here, elsewhere",
    ("a name", "https://shop.example.org/", True, True),
    ("a name without TLS", "http://shop.example.org/", False, False),
    ("a public address", "https://93.184.216.34/", True, True),
    ("a public address without TLS", "http://93.184.216.34/", False, False),
    ("localhost", "http://localhost/", True, False),
    ("loopback", "http://127.0.0.2:80/", True, False),
    ("loopback by IPv6", "http://[::1]/", True, False),
    ("loopback with TLS", "https://127.0.0.1/", True, False),
    ("a private address", "https://10.0.0.1/", False, False),
    ("a private address in IPv6", "https://[::ffff:10.0.0.1]/", False, False),
)
def test_what_a_url_tells_by_itself_is_looked_at_at_once(url, here, elsewhere):
    assert (may_be_reached(url, loopback=True), may_be_reached(url, loopback=False)) == (here, elsewhere)
