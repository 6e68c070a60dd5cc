"""One request goes to the address that was looked at, and comes back in time, whatever is there."""

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.work import sending
from service.work.sending import send
from tests.support.cases import cases
from tests.support.lateness import lateness
from tests.support.receivers import receiver

SOON = 1.0
HEADERS = {"webhook-id": "evt_1"}


@pytest.fixture
def soon(monkeypatch):
    """Give an attempt a second."""
    monkeypatch.setattr(sending, "TIMEOUT", SOON)


@contextmanager
def server(serve):
    """Serve one connection by a function of the socket."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept():
        with listening, listening.accept()[0] as connection, suppress(OSError):
            serve(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    thread.join(10)


def post(url, *, loopback=True):
    return send(url, b"{}", HEADERS, loopback=loopback)


def resolve(monkeypatch, *addresses):
    """Have every name be at these addresses, each time that it is looked up; return the names."""
    asked = []

    def look_up(host, port, *args, **kwargs):
        asked.append(host)
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, 0)) for one in addresses]

    monkeypatch.setattr(sending.socket, "getaddrinfo", look_up)
    return asked


def test_a_request_arrives_and_what_is_answered_comes_back():
    with receiver(lambda _: (201, b"thanks")) as found:
        attempt = post(found.url)

    [request] = found.requests
    assert (request.path, request.body, request.headers["webhook-id"]) == ("/hook", b"{}", "evt_1")
    assert request.headers["host"] == found.url.split("/")[2]
    assert (attempt.status, attempt.answer, attempt.error, attempt.succeeded) == (201, "thanks", None, True)


def test_nobody_is_called_when_the_time_is_over_as_they_are_looked_up(monkeypatch):
    hours = iter((0.0, 0.0))
    monkeypatch.setattr(sending, "time", SimpleNamespace(monotonic=lambda: next(hours, 3600.0)))
    with receiver(lambda _: 201) as found:
        attempt = post(found.url)

    assert (attempt.error, found.requests) == (sending.TIMED_OUT, [])


@cases("status", ("a redirect", 302), ("an error", 500), ("gone", 410), ("not modified", 304))
def test_whatever_is_not_2xx_fails_and_no_redirect_is_followed(status):
    with receiver(lambda _: status) as found:
        attempt = post(found.url)

    assert len(found.requests) == 1
    assert (attempt.status, attempt.succeeded) == (status, False)


def test_no_more_of_an_answer_is_kept_than_its_first_thousand_bytes():
    with receiver(lambda _: (200, b"\0" + "ä".encode() * 5000)) as found:
        attempt = post(found.url)

    assert attempt.answer == "\ufffd" + "ä" * 499 + "\ufffd"


def hear_out(connection):
    """Say nothing until the other end hangs up."""
    while connection.recv(65_536):
        pass


@cases(
    "serve",
    ("nothing", hear_out),
    ("a byte at a time", lambda connection: drip(connection, b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1000)),
    ("an endless head", lambda connection: drip(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.001)),
    (
        "an endless answer",
        lambda connection: drip(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + b"a" * 500),
    ),
)
@pytest.mark.usefixtures("soon")
def test_whoever_takes_longer_than_there_is_time_is_hung_up_on(serve):
    begun = time.monotonic()
    with server(serve) as port, lateness() as late:
        attempt = post(f"http://127.0.0.1:{port}/")
        took = time.monotonic() - begun

    assert (attempt.status, attempt.error) == (None, sending.TIMED_OUT)
    assert SOON * 0.9 < took < SOON + 2 + late.seconds


def drip(connection, data, pause=0.02):
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(pause)
    hear_out(connection)


@pytest.mark.usefixtures("soon")
def test_a_name_server_that_is_silent_keeps_nobody_longer(monkeypatch):
    monkeypatch.setattr(sending.socket, "getaddrinfo", lambda *_, **__: time.sleep(3))

    assert post("https://shop.example.org/").error == sending.TIMED_OUT


@cases(
    "serve, error",
    ("no HTTP", lambda connection: connection.sendall(b"220 smtp\r\n\r\n" * 9), sending.NOT_HTTP),
    ("a lost connection", lambda connection: connection.recv(10), None),
)
def test_what_is_no_answer_is_told_in_our_own_words(serve, error):
    with server(serve) as port:
        attempt = post(f"http://127.0.0.1:{port}/")

    assert attempt.status is None
    assert attempt.error in ([error] if error else [sending.NOT_HTTP, sending.UNREACHABLE])


def test_whoever_answers_before_all_was_sent_has_answered():
    def refuse(connection):
        connection.recv(10)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_RDWR)
        time.sleep(0.5)

    with server(refuse) as port:
        attempt = send(f"http://127.0.0.1:{port}/", b"a" * 30_000_000, HEADERS, loopback=True)

    assert attempt.status in (413, None)
    assert attempt.error in (None, sending.UNREACHABLE, sending.NOT_HTTP)


def test_where_nobody_listens_nothing_is_connected():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/").error == sending.UNREACHABLE


def test_a_name_without_an_address_is_not_found(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(sending.socket, "getaddrinfo", fail)

    assert post("https://nowhere.example.org/").error == sending.NOT_FOUND


# --- where it goes -----------------------------------------------------------------------------------


def test_loopback_is_refused_where_it_is_not_allowed():
    with receiver() as found:
        attempt = post(found.url, loopback=False)

    assert attempt.error == sending.FORBIDDEN
    assert found.requests == []


@cases(
    "addresses",
    ("private", ["10.0.0.1"]),
    ("one of several", ["93.184.216.34", "169.254.169.254"]),
    ("in IPv6", ["::ffff:10.0.0.1"]),
)
def test_a_name_that_leads_into_our_network_is_refused(monkeypatch, addresses):
    resolve(monkeypatch, *addresses)

    assert post("https://shop.example.org/").error == sending.FORBIDDEN


def test_a_name_is_looked_up_once_and_the_connection_is_made_to_what_was_found(monkeypatch):
    with receiver() as found:
        asked = resolve(monkeypatch, "127.0.0.1")
        attempt = post(found.url.replace("127.0.0.1", "shop.example.org"))

    assert attempt.succeeded
    assert asked == ["shop.example.org"]
    assert found.requests[0].headers["host"].startswith("shop.example.org:")


def test_the_next_address_is_tried_where_one_does_not_answer(monkeypatch):
    with receiver() as found:
        resolve(monkeypatch, "::1", "127.0.0.1")
        attempt = post(found.url.replace("127.0.0.1", "shop.example.org"))

    assert attempt.succeeded


# --- whom it trusts ----------------------------------------------------------------------------------


def certificate(tmp_path, name):
    """Make a certificate of a name, signed by itself; return where it is."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.9"))])
    at = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, plain[1], plain[0])
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secured(tmp_path):
    """Serve one connection by TLS, as shop.example.org; yield the port, where the certificate is, and the
    names that were asked for."""
    path, asked = certificate(tmp_path, "shop.example.org"), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.sni_callback = lambda _, name, __: asked.append(name)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as stream:
            came = b""
            while not came.endswith(b"{}"):
                came += stream.recv(10_000)
            stream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with server(serve) as port:
        yield port, path, asked


@pytest.fixture(autouse=True)
def _trust_anew():
    """Whom to trust is read once in a process."""
    sending._tls.cache_clear()
    yield
    sending._tls.cache_clear()


def trust(monkeypatch, path):
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def test_by_tls_the_name_is_asked_for_and_proved_though_the_address_was_looked_at(monkeypatch, secured):
    port, path, asked = secured
    trust(monkeypatch, path)
    resolve(monkeypatch, "127.0.0.1")

    attempt = post(f"https://shop.example.org:{port}/")

    assert (attempt.status, attempt.error) == (204, None)
    assert asked == ["shop.example.org"]


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(monkeypatch, secured):
    port, _, _ = secured
    resolve(monkeypatch, "127.0.0.1")

    assert post(f"https://shop.example.org:{port}/").error == sending.NOT_TRUSTED


def test_another_names_certificate_is_not_trusted(monkeypatch, secured):
    port, path, _ = secured
    trust(monkeypatch, path)
    resolve(monkeypatch, "127.0.0.1")

    assert post(f"https://other.example.org:{port}/").error == sending.NOT_TRUSTED


@pytest.mark.usefixtures("soon")
def test_who_is_silent_in_the_middle_of_tls_is_hung_up_on():
    with server(hear_out) as port:
        assert post(f"https://127.0.0.1:{port}/").error == sending.TIMED_OUT


@pytest.mark.usefixtures("soon")
def test_who_reads_slowly_is_hung_up_on_in_time_by_tls_too(monkeypatch, tmp_path):
    path = certificate(tmp_path, "shop.example.org")
    trust(monkeypatch, path)
    resolve(monkeypatch, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def read_slowly(connection):
        with context.wrap_socket(connection, server_side=True) as stream:
            while stream.recv(16_384):
                time.sleep(0.01)

    with server(read_slowly) as port, lateness() as late:
        begun = time.monotonic()
        url = f"https://shop.example.org:{port}/"
        attempt = send(url, b"a" * 60_000_000, HEADERS, loopback=True)
        took = time.monotonic() - begun

    assert attempt.error == sending.TIMED_OUT
    assert took < SOON + 2 + late.seconds
