"""One line to syslog (RFC 3164): `syslog:/dev/log`, `syslog://host:514` (UDP) or `syslog+tcp://host:514`."""

import socket
from urllib.parse import urlsplit

SCHEMES = ("syslog", "syslog+tcp")
PRIORITY = 13 * 8 + 5  # facility "log audit", severity "notice"
SECONDS = 5
PORT = 514


def is_address(place: str) -> bool:
    return place.startswith(tuple(f"{scheme}:" for scheme in SCHEMES))


def send(address: str, text: str) -> None:
    """Raises OSError when nobody takes it; over UDP nobody ever says so."""
    where = urlsplit(address)
    message = f"<{PRIORITY}>audit-anchor: {text}".encode()
    if where.scheme == "syslog+tcp":
        with socket.create_connection((where.hostname, where.port or PORT), SECONDS) as stream:
            stream.sendall(message + b"\n")
    elif where.hostname:
        family, kind, _protocol, _name, to = socket.getaddrinfo(
            where.hostname, where.port or PORT, type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind) as datagrams:
            datagrams.sendto(message, to)
    else:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(SECONDS)
            datagrams.connect(where.path)
            datagrams.send(message)
