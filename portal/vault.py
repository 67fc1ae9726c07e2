"""
Secrets at rest.

A sealed value is the text `1.<key id>.<base64 of nonce and ciphertext>`: AES-256-GCM with the row it belongs
to as associated data, so a token moved to another row, column or table does not open. Keys come from
`VAULT_KEYS` ("id:64 hex digits" or "id:32 bytes in base64", newest first); the newest seals, all open, and
`manage.py rotate_secrets` brings every row to the newest.
"""

import base64
import hashlib
import hmac
import os
import re
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

VERSION = "1"
NONCE_BYTES = 12
KEY_BYTES = 32
KEY_FORMAT = re.compile(r"([a-z0-9]{1,8}):(.+)")


class VaultError(Exception):
    """A sealed value does not open: wrong key, wrong row, or altered. There is no fall-back."""


@lru_cache(maxsize=4)
def parse_keys(text: str) -> dict[str, bytes]:
    """Key id to key, newest first. Raises ImproperlyConfigured for a malformed or weak list."""
    keys: dict[str, bytes] = {}
    for part in text.split(","):
        match = KEY_FORMAT.fullmatch(part.strip())
        if match is None:
            raise ImproperlyConfigured("VAULT_KEYS must be 'id:key', separated by commas.")
        key = _key_bytes(match[2])
        if len(set(key)) < 8:
            raise ImproperlyConfigured(f"VAULT_KEYS: key {match[1]} is weak.")
        if match[1] in keys:
            raise ImproperlyConfigured(f"VAULT_KEYS: key id {match[1]} stands twice.")
        keys[match[1]] = key
    return keys


def _key_bytes(text: str) -> bytes:
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.urlsafe_b64decode(text)
    except ValueError as error:
        raise ImproperlyConfigured(
            "VAULT_KEYS: a key is neither hexadecimal nor base64."
        ) from error
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured("VAULT_KEYS: a key has 32 bytes.")
    return key


def newest_key_id() -> str:
    return next(iter(parse_keys(settings.VAULT_KEYS)))


def seal(plain: str, *, place: str) -> str:
    """Seal `plain` for the place `table.column:primary key`."""
    key_id = newest_key_id()
    nonce = os.urandom(NONCE_BYTES)
    box = AESGCM(parse_keys(settings.VAULT_KEYS)[key_id])
    token = nonce + box.encrypt(nonce, plain.encode(), place.encode())
    return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(token).decode()}"


def unseal(token: str, *, place: str) -> str:
    """The plain text of `token`. Raises VaultError when it does not open in this place."""
    try:
        version, key_id, body = token.split(".")
        if version != VERSION:
            raise ValueError(version)
        raw = base64.urlsafe_b64decode(body)
        box = AESGCM(parse_keys(settings.VAULT_KEYS)[key_id])
        return box.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
    except (ValueError, KeyError, InvalidTag) as error:
        raise VaultError(f"the sealed value of {place} does not open") from error


def index(text: str, *, purpose: str, key_id: str = "") -> str:
    """
    A keyed fingerprint for comparing sealed values: `<key id>:<hex>`, empty for empty text. With the newest
    key, unless what it is compared with was made with the known key `key_id`.

    Equal texts of one purpose have equal indexes; without the key nothing can be guessed from them.
    """
    if not text:
        return ""
    key_id = key_id or newest_key_id()
    key = hashlib.sha256(b"index|" + parse_keys(settings.VAULT_KEYS)[key_id]).digest()
    return f"{key_id}:{hmac.new(key, f'{purpose}|{text}'.encode(), 'sha256').hexdigest()}"


class SealedField(models.TextField):  # type: ignore[type-arg]
    """
    A column that holds a sealed token. Loading a row does not open it: call `open_from`, so that lists,
    histories and logs never see the secret. The row's primary key must be known before sealing.
    """

    def place(self, row: models.Model) -> str:
        return f"{row._meta.db_table}.{self.column}:{row.pk}"

    def seal_into(self, row: models.Model, plain: str) -> None:
        setattr(row, self.attname, seal(plain, place=self.place(row)) if plain else "")

    def open_from(self, row: models.Model) -> str:
        token: str = getattr(row, self.attname)
        return unseal(token, place=self.place(row)) if token else ""


def sealed_field(row: models.Model, name: str) -> SealedField:
    field = row._meta.get_field(name)
    assert isinstance(field, SealedField)
    return field
