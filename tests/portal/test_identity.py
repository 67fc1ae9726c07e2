"""Is this the same person? The table of docs/identity.md, without a database."""

from dataclasses import replace
from datetime import date

import pytest

from portal.identity import FIELDS, US_FIELDS, Identification, differences, normalise_number
from portal.models import Entity

ROBIN = Identification(
    date_of_birth=date(1979, 3, 4),
    citizenship="NZ",
    country_of_residence="GB",
    document_type="passport",
    document_number="k:robin",
    social_security_number="",
)
ALICE = replace(ROBIN, citizenship="US", social_security_number="k:078")
EMPTY = Identification(None, "", "", "", "", "")

CASES = {
    "everything equal": (ROBIN, {}, ()),
    "date of birth": (ROBIN, {"date_of_birth": date(1980, 3, 4)}, ("date_of_birth",)),
    "citizenship": (ROBIN, {"citizenship": "AU"}, ("citizenship",)),
    "residence": (ROBIN, {"country_of_residence": "IE"}, ("country_of_residence",)),
    "document type": (ROBIN, {"document_type": "national_id"}, ("document_type",)),
    "document number": (ROBIN, {"document_number": "k:other"}, ("document_number",)),
    "two fields": (
        ROBIN,
        {"citizenship": "AU", "document_number": "k:other"},
        ("citizenship", "document_number"),
    ),
    "day and month swapped": (ROBIN, {"date_of_birth": date(1979, 4, 3)}, ("date_of_birth",)),
    "one day off": (ROBIN, {"date_of_birth": date(1979, 3, 5)}, ("date_of_birth",)),
    "empty date": (ROBIN, {"date_of_birth": None}, ("date_of_birth",)),
    "empty citizenship": (ROBIN, {"citizenship": ""}, ("citizenship",)),
    "empty residence": (ROBIN, {"country_of_residence": ""}, ("country_of_residence",)),
    "empty type": (ROBIN, {"document_type": ""}, ("document_type",)),
    "empty number": (ROBIN, {"document_number": ""}, ("document_number",)),
    "SSN where nobody is a US person": (ROBIN, {"social_security_number": "k:078"}, ()),
    "both US, all equal": (ALICE, {}, ()),
    "both US, other document": (
        ALICE,
        {"document_type": "driving_licence", "document_number": "k:other"},
        (),
    ),
    "both US, no document": (ALICE, {"document_type": "", "document_number": ""}, ()),
    "both US, other residence": (ALICE, {"country_of_residence": "FR"}, ()),
    "citizen and resident": (ALICE, {"citizenship": "NZ", "country_of_residence": "US"}, ()),
    "both US, other SSN": (
        ALICE,
        {"social_security_number": "k:079"},
        ("social_security_number",),
    ),
    "both US, other birthday": (ALICE, {"date_of_birth": date(1979, 4, 3)}, ("date_of_birth",)),
    "both US, one SSN empty": (ALICE, {"social_security_number": ""}, ("social_security_number",)),
    "US and not": (ALICE, {"citizenship": "NZ"}, ("citizenship",)),
    "US and not, other SSN": (
        ALICE,
        {"citizenship": "NZ", "social_security_number": "k:1"},
        ("citizenship",),
    ),
}


@pytest.mark.parametrize(("one", "changed", "expected"), CASES.values(), ids=CASES)
def test_the_comparison_answers_as_the_table_says_from_either_side(one, changed, expected):
    other = replace(one, **changed)
    assert differences(one, other) == expected
    assert differences(other, one) == expected


@pytest.mark.parametrize("name", FIELDS)
def test_two_empty_fields_do_not_match(name):
    one = replace(ROBIN, **{name: getattr(EMPTY, name)})
    assert differences(one, one) == (name,)


def test_two_empty_records_differ_in_everything():
    assert differences(EMPTY, EMPTY) == FIELDS


def test_two_us_persons_without_a_social_security_number_do_not_match():
    one = replace(ALICE, social_security_number="")
    assert differences(one, one) == ("social_security_number",)
    nothing = replace(EMPTY, citizenship="US")
    assert differences(nothing, nothing) == US_FIELDS


@pytest.mark.parametrize(
    ("citizenship", "residence", "expected"),
    [("US", "GB", True), ("NZ", "US", True), ("US", "US", True), ("NZ", "GB", False)],
)
def test_a_us_person_is_a_citizen_or_a_resident(citizenship, residence, expected):
    one = replace(ROBIN, citizenship=citizenship, country_of_residence=residence)
    assert one.is_us_person is expected


NUMBER = "LX2047713"
SAME_NUMBER = {
    "as kept": "LX2047713",
    "small letters": "lx2047713",
    "blanks": " LX 204 7713 ",
    "no-break blank": "LX\u00a0204\u202f7713",
    "tab": "LX\t2047713",
    "hyphens": "LX-204-7713",
    "other hyphens and dashes": "LX\u2010204\u2011771\u20133",
    "full width": "ＬＸ２０４７７１３",
    "full-width hyphen": "LX204－7713",
}
OTHER_NUMBER = {
    "letter O": "LX2O47713",
    "letter I": "LX20477I3",
    "leading zero": "0LX2047713",
    "dots": "LX.204.7713",
    "slash": "LX/2047713",
    "Cyrillic letter": "LХ2047713",
    "minus sign": "LX204\u22127713",
    "digit missing": "LX204771",
    "digits swapped": "LX2047731",
}


@pytest.mark.parametrize("typed", SAME_NUMBER.values(), ids=SAME_NUMBER)
def test_a_number_in_another_writing_is_the_same(typed):
    assert normalise_number(typed) == NUMBER


@pytest.mark.parametrize("typed", OTHER_NUMBER.values(), ids=OTHER_NUMBER)
def test_a_number_that_only_looks_alike_is_another(typed):
    assert normalise_number(typed) != NUMBER


def test_composed_and_decomposed_letters_are_the_same_and_plain_ones_are_not():
    assert normalise_number("E\u0301 12") == normalise_number("\u00e9-12") == "\u00c912"
    assert normalise_number("E12") != "\u00c912"
    assert normalise_number("OE12") != normalise_number("\u00d612")


@pytest.mark.parametrize("typed", ["", "   ", "-", " – "])
def test_what_holds_no_character_is_empty_and_so_matches_nothing(typed):
    assert normalise_number(typed) == ""


@pytest.mark.parametrize("typed", [*SAME_NUMBER.values(), *OTHER_NUMBER.values(), "ßẞıİ"])
def test_the_spelling_of_a_number_is_final(typed):
    assert normalise_number(normalise_number(typed)) == normalise_number(typed)


def test_one_person_stays_one_while_keys_are_rotated_and_however_his_name_is_composed():
    one, other = Entity(name="A"), Entity(name="B")
    one.set_number("document_number", "LX 204-77")
    one.document_number_index = "an-older-key:its-index"
    other.set_number("document_number", "LX20477")
    assert one.may_be_same_person_as(other)
    born = date(1990, 1, 2)
    composed, apart = "Jos\u00e9 N\u00fa\u00f1ez", "Jose\u0301 Nu\u0301n\u0303ez"
    one, other = (Entity(name=name, date_of_birth=born) for name in (composed, apart))
    assert one.may_be_same_person_as(other)
