"""What everybody logs in with: one password, and the six digits of RFC 6238 of a secret that follows from the name."""

import hashlib
import hmac
import time

PASSWORD = "a-password-of-the-benchmarks"
PERIOD = 30  # seconds


def secret_of(name: str) -> bytes:
    return hashlib.sha1(name.encode()).digest()


def code_of(name: str) -> str:
    counter = int(time.time()) // PERIOD
    digest = hmac.digest(secret_of(name), counter.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**6:06}"
