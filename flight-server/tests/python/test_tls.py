"""TLS on both ports, and in our own commands: certificates that are renewed, pairs that are bad, authorities that are not believed.

The certificates are made here, by an authority of the test's own.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pyarrow.flight as flight
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import hexserver
import raw_http2
from conftest import ServerFactory
from hexserver import Server, wait_until

RELOADED_SECONDS = 10.0


@dataclass(frozen=True)
class Authority:
    """Signs certificates; its own is in a file."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    cert: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> Authority:
        """Makes an authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = _signed("test authority", key, "test authority", key, is_authority=True)
        folder.mkdir()
        (folder / "ca.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, cert)

    @property
    def file(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    def write_pair(self, *, days: float = 1.0) -> tuple[Path, Path]:
        """Writes a certificate for this machine and its key; one that has ended if `days` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = _signed("test server", key, "test authority", self.key, days=days)
        cert_file, key_file = self.folder / "cert.pem", self.folder / "key.pem"
        cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        key_file.touch(mode=0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file

    def trusted(self) -> ssl.SSLContext:
        """A context that believes it."""
        return ssl.create_default_context(cafile=str(self.file))


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool = False,
    days: float = 1.0,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    begins = now - datetime.timedelta(days=10)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of this test's own."""
    return Authority.make(tmp_path / "authority")


@pytest.fixture
def secured(make_server: ServerFactory, authority: Authority) -> Server:
    """A server with TLS on both ports."""
    cert, key = authority.write_pair()
    server = make_server("--tls-cert", str(cert), "--tls-key", str(key))
    server.spawn()
    wait_until(lambda: "https://" in server.log and answers(server, authority), 60, "server ready")
    return server


def url(server: Server, scheme: str) -> str:
    """The address that the server bound for a scheme."""
    line = next(part for part in server.log.split() if part.startswith(f"{scheme}://"))
    return line.split("/api")[0]


def answers(server: Server, authority: Authority) -> bool:
    """Whether the HTTPS port answers somebody who believes the authority."""
    try:
        with urllib.request.urlopen(
            f"{url(server, 'https')}/health/ready", timeout=10, context=authority.trusted()
        ) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ssl.SSLError, OSError):
        return False


def serial(server: Server) -> int:
    """Serial number of the certificate that the Flight port shows."""
    host, port = url(server, "grpc+tls").split("://")[1].rsplit(":", 1)
    pem = ssl.get_server_certificate((host, int(port)), timeout=10)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def on_disk(authority: Authority) -> int:
    """Serial number of the certificate in the file."""
    return x509.load_pem_x509_certificate((authority.folder / "cert.pem").read_bytes()).serial_number


def sql(server: Server, scheme: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Asks with our own command."""
    target = url(server, "grpc+tls").replace("grpc+tls", scheme)
    return hexserver.run("sql", "--target", target, *more, "SELECT 40 + 2")


def test_clients_speak_tls_on_both_ports(secured: Server, authority: Authority) -> None:
    with flight.FlightClient(url(secured, "grpc+tls"), tls_root_certs=authority.file.read_bytes()) as client:
        assert client.do_get(flight.Ticket(b"SELECT 1")).read_all().num_rows == 1
    assert answers(secured, authority)


def test_our_own_commands_speak_tls_and_believe_nobody_else(secured: Server, authority: Authority, tmp_path: Path) -> None:
    other = Authority.make(tmp_path / "other")
    for scheme in ("grpc+tls", "https", "grpcs"):
        assert "42" in sql(secured, scheme, "--tls-ca", str(authority.file)).stdout
    sent = hexserver.run(
        "simulate", "--target", url(secured, "grpc+tls"), "--tls-ca", str(authority.file),
        "--duration", "200ms", "--devices", "10", "--rate", "100",
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr

    for doubtful in (sql(secured, "https"), sql(secured, "https", "--tls-ca", str(other.file)), sql(secured, "grpc")):
        assert doubtful.returncode == 1 and "42" not in doubtful.stdout
    missing = sql(secured, "https", "--tls-ca", str(tmp_path / "none"))
    assert missing.returncode == 1 and "--tls-ca" in missing.stderr


def test_a_renewed_certificate_is_taken_over_and_a_bad_one_is_not(secured: Server, authority: Authority) -> None:
    first = serial(secured)
    with flight.FlightClient(url(secured, "grpc+tls"), tls_root_certs=authority.file.read_bytes()) as client:
        client.do_get(flight.Ticket(b"SELECT 1")).read_all()
        authority.write_pair()
        wait_until(lambda: serial(secured) == on_disk(authority), RELOADED_SECONDS, "the new certificate")
        # A connection of before goes on.
        assert client.do_get(flight.Ticket(b"SELECT 1")).read_all().num_rows == 1

    second = serial(secured)
    assert second != first
    key = (authority.folder / "key.pem").read_bytes()
    authority.write_pair()
    (authority.folder / "key.pem").write_bytes(key)
    wait_until(lambda: "stays the one" in secured.log, RELOADED_SECONDS, "the bad pair is noticed")
    assert serial(secured) == second and answers(secured, authority)


def test_a_certificate_that_has_ended_is_renewed_without_a_restart(
    make_server: ServerFactory, authority: Authority
) -> None:
    cert, key = authority.write_pair(days=-1)
    server = make_server("--tls-cert", str(cert), "--tls-key", str(key))
    server.spawn()
    wait_until(lambda: "https://" in server.log, 60, "server ready")
    assert not answers(server, authority)
    authority.write_pair()
    wait_until(lambda: answers(server, authority), RELOADED_SECONDS, "the new certificate")


def test_who_does_not_shake_hands_is_a_stranger(secured: Server, authority: Authority) -> None:
    plain = url(secured, "grpc+tls").replace("grpc+tls", "grpc")
    before = hexserver.peak_mib(secured)
    connections = [raw_http2.connect(plain, source=raw_http2.ELSEWHERE) for _ in range(300)]
    try:
        assert answers(secured, authority)
    finally:
        for connection in connections:
            connection.close()
    assert hexserver.peak_mib(secured) - before < 64


@pytest.mark.parametrize("problem", ["other key", "open key", "no cert", "no key", "text"])
def test_a_bad_pair_stops_the_start(tmp_path: Path, authority: Authority, problem: str) -> None:
    cert, key = authority.write_pair()
    if problem == "other key":
        before = key.read_bytes()
        cert, key = authority.write_pair()
        key.write_bytes(before)
    elif problem == "open key":
        key.chmod(0o644)
    elif problem == "no cert":
        cert.unlink()
    elif problem == "no key":
        key.unlink()
    else:
        cert.write_text("nonsense")

    failed = hexserver.run(
        "serve", "--data-dir", str(tmp_path / "data"), "--flight-bind", "127.0.0.1:0", "--http-bind", "127.0.0.1:0",
        "--tls-cert", str(cert), "--tls-key", str(key),
    )  # fmt: skip
    assert failed.returncode == 1
    assert "tls_cert, tls_key" in failed.stderr and "PRIVATE" not in failed.stderr
