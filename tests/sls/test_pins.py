"""PIN guidelines: KB2269, facts.md section 10."""

from datetime import date

import pytest

from sls.pins import PersonalData, PinFault, faults, has_form

PERSON = PersonalData(
    dates_of_birth=(date(1991, 6, 3),),
    documents=("S9117 205 K", "078-05-1120"),
    phone_numbers=("+6581234567",),
    names=("Mei Lantern", "mei.lantern"),
)


@pytest.mark.parametrize("pin", ["7kX!2", "a9!Z", "µ7漢X", "q7Lm2x", "8!3#5$", "9m2K"])
def test_good_pins(pin):
    assert faults(pin, PERSON) == []


@pytest.mark.parametrize(
    "pin", ["", "123", "a9!", "1234567", "a 9Zx", "a9Zx\n", "a9\u200bZx", "\u202ea9Z"]
)
def test_pins_of_a_wrong_form(pin):
    assert not has_form(pin)
    assert faults(pin, PERSON) == [PinFault.FORM]


BIRTH = "0306 0603 1991 030691 060391 910603 910306 36919 3691 6391 0691 9106 199106 061991 36191"
TABLE = [
    *[
        (pin, PinFault.COMMON)
        for pin in [
            "1234",
            "4321",
            "0000",
            "1111",
            "111111",
            "1212",
            "121212",
            "abcd",
            "qwer",
            "1122",
            "pass",
            "654321",
            "zxcv",
        ]
    ],
    *[(pin, PinFault.BIRTH_DATE) for pin in BIRTH.split() if pin not in ("36919", "36191")],
    *[
        (pin, PinFault.DOCUMENT)
        for pin in ["9117", "1172", "205k", "S9117", "0780", "51120", "7805"]
    ],
    *[(pin, PinFault.PHONE_NUMBER) for pin in ["8123", "4567", "1234", "658123", "3456"]],
    *[(pin, PinFault.NAME) for pin in ["lant", "LANT", "tern", "Mei.L", "meilan"]],
]


@pytest.mark.parametrize(("pin", "fault"), TABLE)
def test_pins_that_a_guideline_forbids(pin, fault):
    assert fault in faults(pin, PERSON)


def test_missing_data_forbid_nothing():
    assert faults("9117", PersonalData()) == []
    assert faults("7kX!", PersonalData(documents=("", "7k"), names=("X",))) == []
