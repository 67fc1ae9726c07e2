"""RFC 4226 truncation and RFC 6287 OCRA, against tests/vectors/ocra.json."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sls.oath import Suite, SuiteError, ocra, pin_hash, truncate

FILE = json.loads((Path(__file__).parents[1] / "vectors" / "ocra.json").read_text())
KEYS = {name: bytes.fromhex(value) for name, value in FILE["keys"].items()}
HOUSE = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
KEY = KEYS["32"]


def inputs(case: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a case, from their JSON form."""
    readers: dict[str, Callable[[Any], object]] = {"pin": str, "counter": int, "timestamp": int}
    readers |= {"session": bytes.fromhex, "pin_hash": bytes.fromhex}
    return {name: read(case[name]) for name, read in readers.items() if name in case}


def vector_id(case: dict[str, Any]) -> str:
    return f"{case['group']} {case['suite']} {case['question'][:20]} {case.get('counter', '')}"


# --- The algorithm --------------------------------------------------------------------------------


def test_the_file_holds_all_vectors_of_the_appendix() -> None:
    groups = Counter(case["group"] for case in FILE["vectors"])
    assert (groups["C.1"], groups["C.2"], groups["C.3"]) == (40, 20, 10)


@pytest.mark.parametrize("case", FILE["vectors"], ids=vector_id)
def test_the_response_is_the_published_one(case: dict[str, Any]) -> None:
    answer = ocra(case["suite"], KEYS[case["key"]], case["question"], **inputs(case))
    assert answer == case["response"]


@pytest.mark.parametrize("case", [c for c in FILE["vectors"] if "pin" in c], ids=vector_id)
def test_a_hashed_pin_gives_the_same_response(case: dict[str, Any]) -> None:
    hashed = inputs(case)
    hashed["pin_hash"] = pin_hash(case["suite"], hashed.pop("pin"))
    assert ocra(case["suite"], KEYS[case["key"]], case["question"], **hashed) == case["response"]


def test_the_house_suite_signs_the_bytes_we_believe_it_signs() -> None:
    """By hand: 123456 is 0x1e240, five nibbles, so 1e 24 0_ and then zeros."""
    message = HOUSE.encode() + b"\x00" + bytes.fromhex("1e2400") + bytes(125)
    message += hashlib.sha256(b"1234").digest()
    digest = hmac.new(KEY, message, hashlib.sha256).digest()
    start = digest[31] % 16
    number = int(digest[start : start + 4].hex(), 16) % 2**31
    assert ocra(HOUSE, KEY, "123456", pin="1234") == str(number)[-8:].rjust(8, "0") == "78054504"


def test_leading_zeros_of_a_question_do_not_count() -> None:
    suite = "OCRA-1:HOTP-SHA1-6:QN08"
    assert ocra(suite, KEY, "12") == ocra(suite, KEY, "00000012")


def test_a_trailing_zero_nibble_of_a_hexadecimal_question_does_not_count() -> None:
    suite = "OCRA-1:HOTP-SHA1-6:QH08"
    assert ocra(suite, KEY, "abc") == ocra(suite, KEY, "ABC0") != ocra(suite, KEY, "0abc")


def test_leading_zeros_of_a_response_are_kept_as_text() -> None:
    assert ocra(HOUSE, KEY, "000073", pin="1234") == "00113946"


def test_a_parsed_suite_serves_as_well_as_its_text() -> None:
    suite = Suite.parse(HOUSE)
    assert ocra(suite, KEY, "123456", pin="1234") == ocra(HOUSE, KEY, "123456", pin="1234")


# RFC 4226 appendix D: counters 0 to 9 of the key "12345678901234567890".
HOTP = [
    *("755224", "287082", "359152", "969429", "338314"),
    *("254676", "287922", "162583", "399871", "520489"),
]


@pytest.mark.parametrize(("counter", "code"), [*enumerate(HOTP)])
def test_truncation_gives_the_codes_of_rfc_4226(counter: int, code: str) -> None:
    digest = hmac.digest(KEYS["20"], counter.to_bytes(8, "big"), "sha1")
    assert truncate(digest, 6) == code


def test_truncation_reads_the_example_of_rfc_4226_section_5_4() -> None:
    digest = bytes.fromhex("1f8698690e02ca16618550ef7f19da8e945b555a")
    assert truncate(digest, 6) == "872921"
    assert truncate(digest, 10) == str(0x50EF7F19)


@given(st.binary(min_size=20, max_size=64), st.integers(4, 10))
def test_truncation_always_gives_that_many_digits(digest: bytes, digits: int) -> None:
    code = truncate(digest, digits)
    assert len(code) == digits
    assert code.isdecimal()
    assert truncate(digest, 10).endswith(code)


@given(st.binary(min_size=20, max_size=64))
def test_no_truncation_gives_the_whole_digest(digest: bytes) -> None:
    assert bytes.fromhex(truncate(digest, 0)) == digest


@given(st.integers(0, 999_999), st.text("0123456789", min_size=4, max_size=4))
def test_one_changed_digit_of_the_question_changes_the_response(number: int, pin: str) -> None:
    """Equal by chance once in 10^8; hypothesis runs a hundred examples."""
    asked, other = f"{number:06}", f"{(number + 1) % 10**6:06}"
    assert ocra(HOUSE, KEY, asked, pin=pin) != ocra(HOUSE, KEY, other, pin=pin)


# --- Suites ---------------------------------------------------------------------------------------


def test_parse_reads_every_part_of_a_full_suite() -> None:
    assert Suite.parse("OCRA-1:HOTP-SHA512-10:C-QA64-PSHA1-S128-T48H") == Suite(
        text="OCRA-1:HOTP-SHA512-10:C-QA64-PSHA1-S128-T48H",
        hash_name="sha512",
        digits=10,
        has_counter=True,
        question_format="A",
        question_length=64,
        pin_hash_name="sha1",
        session_length=128,
        step_seconds=48 * 3600,
    )


def test_parse_leaves_out_what_a_short_suite_lacks() -> None:
    assert Suite.parse("OCRA-1:HOTP-SHA1-0:QN04") == Suite(
        text="OCRA-1:HOTP-SHA1-0:QN04",
        hash_name="sha1",
        digits=0,
        has_counter=False,
        question_format="N",
        question_length=4,
        pin_hash_name=None,
        session_length=None,
        step_seconds=None,
    )


# Section 6.4's own examples, then the edges of the tables in section 6.3.
WELL_FORMED = [
    "OCRA-1:HOTP-SHA512-8:C-QN08-PSHA1",
    "OCRA-1:HOTP-SHA256-6:QA10-T1M",
    "OCRA-1:HOTP-SHA1-4:QH8-S512",
    "OCRA-1:HOTP-SHA1-6:QN4",
    "OCRA-1:HOTP-SHA1-6:QN09-T59S",
    "OCRA-1:HOTP-SHA1-6:QN10-T59M",
    "OCRA-1:HOTP-SHA1-6:QN64-T0H",
    "OCRA-1:HOTP-SHA1-6:QN08-S001",
]


@pytest.mark.parametrize("text", WELL_FORMED)
def test_parse_accepts_what_the_rfc_allows(text: str) -> None:
    assert Suite.parse(text).text == text


@pytest.mark.parametrize("text", FILE["malformed_suites"])
def test_parse_refuses_a_malformed_suite(text: str) -> None:
    with pytest.raises(SuiteError):
        Suite.parse(text)


@given(st.text())
def test_parse_never_fails_in_another_way(text: str) -> None:
    for candidate in (text, f"OCRA-1:{text}", f"OCRA-1:HOTP-SHA1-6:{text}"):
        with suppress(SuiteError):
            assert Suite.parse(candidate).text == candidate


def test_an_operation_refuses_a_malformed_suite_too() -> None:
    with pytest.raises(SuiteError):
        ocra("OCRA-1:HOTP-SHA1-6", KEY, "1")
    with pytest.raises(SuiteError):
        pin_hash("OCRA-1:HOTP-SHA1-6", "1234")


# --- Inputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", FILE["refused"], ids=lambda case: case["why"])
def test_a_response_is_refused_when(case: dict[str, Any]) -> None:
    key = bytes.fromhex(case.get("key", "31" * 20))
    with pytest.raises(ValueError, match=r"\S") as caught:
        ocra(case["suite"], key, case["question"], **inputs(case))
    assert not isinstance(caught.value, SuiteError)


def test_a_refusal_repeats_neither_question_nor_pin() -> None:
    with pytest.raises(ValueError, match="has no PIN") as caught:
        ocra("OCRA-1:HOTP-SHA1-6:QN08", KEY, "7531", pin="8642")
    assert "8642" not in str(caught.value)
    with pytest.raises(ValueError, match="QN") as caught:
        ocra("OCRA-1:HOTP-SHA1-6:QN08", KEY, "75x31")
    assert "75x31" not in str(caught.value)


def test_pin_hash_refuses_an_empty_pin_and_a_suite_without_one() -> None:
    with pytest.raises(ValueError, match="empty"):
        pin_hash(HOUSE, "")
    with pytest.raises(ValueError, match="no PIN"):
        pin_hash("OCRA-1:HOTP-SHA1-6:QN08", "1234")


@pytest.mark.parametrize(("name", "length"), [("SHA1", 20), ("SHA256", 32), ("SHA512", 64)])
def test_pin_hash_is_as_long_as_its_hash(name: str, length: int) -> None:
    assert len(pin_hash(f"OCRA-1:HOTP-SHA1-6:QN08-P{name}", "1234")) == length
