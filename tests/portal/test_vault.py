"""Secrets at rest: abuse-cases.md H 160 and 161."""

import base64
import uuid

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import vault
from portal.models import Entity

OLD = "k1:" + "0123456789abcdef" * 4
NEW = "k2:" + "fedcba9876543210" * 4
PLACE = "sls_securitydevice.secret:1"


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.VAULT_KEYS = OLD


def flip(text: str, at: int) -> str:
    """The token with one bit of its sealed bytes turned."""
    version, key_id, body = text.split(".")
    raw = bytearray(base64.urlsafe_b64decode(body))
    raw[at] ^= 1
    return f"{version}.{key_id}.{base64.urlsafe_b64encode(raw).decode()}"


@pytest.mark.parametrize("plain", ["", "x", "密钥 é", "a" * 5000, "\0"])
def test_what_is_sealed_opens_in_its_place(plain):
    assert vault.unseal(vault.seal(plain, place=PLACE), place=PLACE) == plain


def test_a_token_shows_its_key_id_and_nothing_of_the_text():
    token = vault.seal("the secret text", place=PLACE)
    assert token.startswith("1.k1.")
    assert b"secret" not in base64.urlsafe_b64decode(token.rpartition(".")[2])


def test_the_same_text_is_sealed_differently_each_time():
    assert len({vault.seal("x", place=PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "other",
    ["sls_securitydevice.secret:2", "sls_securitydevice.serial:1", "portal_entity.secret:1", ""],
    ids=["row", "column", "table", "nowhere"],
)
def test_a_token_that_was_moved_does_not_open(other):
    token = vault.seal("x", place=PLACE)
    with pytest.raises(vault.VaultError):
        vault.unseal(token, place=other)


@pytest.mark.parametrize("at", [0, 11, 12, -1], ids=["nonce", "nonce end", "text", "tag"])
def test_a_flipped_bit_does_not_open(at):
    token = flip(vault.seal("some secret", place=PLACE), at)
    with pytest.raises(vault.VaultError):
        vault.unseal(token, place=PLACE)


@pytest.mark.parametrize(
    "token",
    ["", "1.k1", "1.k1.", "1.k1.AAAA", "1.k1.é", "1.k1.A", "plain text", "1.k1.a.b"],
)
def test_what_is_no_token_does_not_open(token):
    with pytest.raises(vault.VaultError):
        vault.unseal(token, place=PLACE)


def test_another_version_or_an_unknown_key_does_not_open():
    token = vault.seal("x", place=PLACE)
    for changed in ("2" + token[1:], token.replace(".k1.", ".k9.")):
        with pytest.raises(vault.VaultError):
            vault.unseal(changed, place=PLACE)


def test_a_wrong_key_under_the_right_id_does_not_open(settings):
    token = vault.seal("x", place=PLACE)
    settings.VAULT_KEYS = "k1" + NEW[2:]
    with pytest.raises(vault.VaultError):
        vault.unseal(token, place=PLACE)


def test_the_error_names_the_place_and_not_the_secret():
    with pytest.raises(vault.VaultError, match="secret:1 does not open"):
        vault.unseal("1.k1.c2VjcmV0", place=PLACE)


def test_the_newest_key_seals_and_the_older_ones_still_open(settings):
    old = vault.seal("x", place=PLACE)
    settings.VAULT_KEYS = f"{NEW}, {OLD}"
    assert vault.newest_key_id() == "k2"
    assert vault.seal("x", place=PLACE).startswith("1.k2.")
    assert vault.unseal(old, place=PLACE) == "x"
    settings.VAULT_KEYS = NEW
    with pytest.raises(vault.VaultError):
        vault.unseal(old, place=PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0123456789abcdef" * 4,
        "k1:" + "0123456789abcdef" * 3,
        "K1:" + "0123456789abcdef" * 4,
        "longer-id:" + "0123456789abcdef" * 4,
        f"{OLD},",
        f"{OLD};{NEW}",
        "k1:" + "00" * 32,
        "k1:" + "0123456789ab" + "00" * 26,
        f"{OLD},{OLD}",
    ],
    ids=[
        "empty",
        "no id",
        "short",
        "id in capitals",
        "id too long",
        "open end",
        "semicolon",
        "zeros",
        "seven bytes and zeros",
        "an id twice",
    ],
)
def test_a_malformed_or_weak_list_of_keys_is_refused(text):
    with pytest.raises(ImproperlyConfigured):
        vault.parse_keys(text)


@pytest.mark.parametrize(
    "spelt", [bytes(range(32)).hex(), base64.urlsafe_b64encode(bytes(range(32))).decode()]
)
def test_a_key_is_32_bytes_in_hexadecimal_or_base64(spelt):
    assert vault.parse_keys(f"k1:{spelt}") == {"k1": bytes(range(32))}


def test_equal_texts_have_equal_indexes_of_one_purpose_only():
    index = vault.index("LX2047713", purpose="document_number")
    assert index == vault.index("LX2047713", purpose="document_number")
    assert index != vault.index("LX2047714", purpose="document_number")
    assert index != vault.index("LX2047713", purpose="ssn")
    assert "LX204" not in index


def test_an_index_depends_on_the_key_and_names_it(settings):
    old = vault.index("x", purpose="p")
    settings.VAULT_KEYS = NEW
    assert old.startswith("k1:")
    assert vault.index("x", purpose="p").startswith("k2:")
    assert vault.index("x", purpose="p")[3:] != old[3:]


def test_an_empty_text_has_no_index():
    assert vault.index("", purpose="p") == ""


def test_the_text_of_one_purpose_cannot_pass_for_another():
    assert vault.index("b|c", purpose="a") != vault.index("c", purpose="ab")


def test_a_sealed_field_binds_its_token_to_the_row():
    mine, theirs = Entity(pk=uuid.uuid4()), Entity(pk=uuid.uuid4())
    field = vault.sealed_field(mine, "ssn_sealed")
    field.seal_into(mine, "078051120")
    assert field.open_from(mine) == "078051120"
    theirs.ssn_sealed = mine.ssn_sealed
    mine.document_number_sealed = mine.ssn_sealed
    with pytest.raises(vault.VaultError):
        field.open_from(theirs)
    with pytest.raises(vault.VaultError):
        vault.sealed_field(mine, "document_number_sealed").open_from(mine)


def test_an_empty_text_stays_empty_in_a_sealed_field():
    entity = Entity(pk=uuid.uuid4(), ssn_sealed="before")
    field = vault.sealed_field(entity, "ssn_sealed")
    field.seal_into(entity, "")
    assert entity.ssn_sealed == ""
    assert field.open_from(entity) == ""
