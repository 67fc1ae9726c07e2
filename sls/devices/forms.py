"""The field for a device's response, the same on every page that asks for one; and staff's forms."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from portal.models.account import normalise_username
from sls import codecard
from sls.catalog import PIN_DIGITS, DeviceKind, Element

from . import queries
from .rules import StockLine

COLUMNS = ["kind", "serial", "secret", "pin", "username"]
MOST_BYTES = 1_000_000
MOST_ROWS = 5_000
SERIAL = re.compile(r"[A-Z0-9][A-Z0-9-]{7,31}")
KEY = re.compile(r"(?:[0-9a-f]{2}){20,64}")
PIN = re.compile(rf"[0-9]{{{PIN_DIGITS}}}")
CELLS = re.compile(rf"[{codecard.ALPHABET}]{{{codecard.CELL_COUNT * codecard.CELL_LENGTH}}}")


class ResponseForm(forms.Form):
    """One field, into which the whole response is typed or pasted."""

    response = forms.CharField(
        label=_("Response code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "class": "code-input",
            }
        ),
    )

    def __init__(
        self, *args: Any, element: Element, has_digits: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.element = element
        self.look = {"element": element, "has_digits": has_digits}
        if element is Element.CHALLENGE_CODE or has_digits:
            self.fields["response"].widget.attrs["inputmode"] = "numeric"
        if element is Element.CODE:
            self.fields["response"].label = _("Code")
            self.fields["response"].widget.attrs["autofocus"] = True

    def clean_response(self) -> str:
        """
        A display groups its digits, so their blanks are ignored; a card's values join without one. A code's
        letters are capitals (KB1132): who typed small ones is told so before it costs him a try.
        """
        typed: str = self.cleaned_data["response"].strip()
        if self.element is Element.INDEX_NUMBERS and len(typed.split()) > 1:
            raise forms.ValidationError(
                _("Enter the two values one after the other, without a space between them."),
                code="has_blank",
            )
        if self.element is Element.CODE and typed != typed.upper():
            raise forms.ValidationError(_("Type the letters in capitals."), code="not_in_capitals")
        return typed


class TakeAwayForm(forms.Form):
    """Why a device is taken away from its users, and the word that it may be somebody's last way in."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 4})
    )
    may_strand = forms.BooleanField(
        label=_("I have read that a username is left without any way in, and I mean it"),
        required=False,
    )


class ImportForm(forms.Form):
    """
    Devices to take into stock, as a CSV file. `cleaned_data["file"]` is a list of StockLine; every problem
    of the file is an error of the field with the number of its line, and never repeats what stands there.
    """

    file = forms.FileField(
        label=_("CSV file"),
        help_text=format_lazy(
            _("UTF-8, at most {rows} rows and 1 MB. The first line is: {columns}"),
            rows=MOST_ROWS,
            columns=",".join(COLUMNS),
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def clean_file(self) -> list[StockLine]:
        upload: UploadedFile[bytes] = self.cleaned_data["file"]
        if (upload.size or 0) > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 MB."), code="too_large")
        rows = _rows(_text(upload.read()))
        lines = {number: _line(row) for number, row in rows}
        problems = sorted([*_malformed(dict(rows), lines), *_conflicts(lines)], key=lambda p: p[0])
        if problems:
            raise forms.ValidationError([_at(number, what) for number, what in problems])
        return list(lines.values())


def _at(number: int, what: str | Promise) -> str:
    return say("Line %(number)d: %(problem)s") % {"number": number, "problem": what}


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise forms.ValidationError(
            _at(number, _("this is not UTF-8.")), code="encoding"
        ) from error


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows below the header with the number of the line each ends at; empty lines left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise forms.ValidationError(_at(reader.line_num, _("this is not CSV."))) from error
    if header != COLUMNS:
        words = say("the header must be %(columns)s") % {"columns": ",".join(COLUMNS)}
        raise forms.ValidationError(_at(1, words), code="header")
    if not rows:
        raise forms.ValidationError(_("The file has no rows."), code="empty")
    if len(rows) > MOST_ROWS:
        words = say("The file has more than %(rows)d rows.") % {"rows": MOST_ROWS}
        raise forms.ValidationError(words, code="too_many")
    return rows


def _line(row: list[str]) -> StockLine:
    """The row in the spelling in which it is compared and kept; missing cells are empty."""
    cells = [*(cell.strip() for cell in row), *[""] * len(COLUMNS)]
    kind, serial, secret, pin, username = cells[: len(COLUMNS)]
    secret = secret.lower() if kind == DeviceKind.DSC_PLUS else secret.upper()
    return StockLine(kind, serial.upper(), secret, pin, normalise_username(username))


def _malformed(
    rows: dict[int, list[str]], lines: dict[int, StockLine]
) -> Iterator[tuple[int, str | Promise]]:
    """What is wrong with each row by itself."""
    for number, line in lines.items():
        if len(rows[number]) != len(COLUMNS):
            yield number, _("the row must have five cells.")
            continue
        if not SERIAL.fullmatch(line.serial):
            yield number, _("the serial number must be 8 to 32 letters, digits and hyphens.")
        yield from ((number, what) for what in _wrong_secrets(line))


def _wrong_secrets(line: StockLine) -> Iterator[Promise]:
    match line.kind:
        case DeviceKind.DSC_PLUS:
            if not KEY.fullmatch(line.secret):
                yield _("the secret of a DSC+ must be 20 to 64 bytes in hex digits.")
            if not PIN.fullmatch(line.pin):
                yield _("the PIN of a DSC+ must be 4 digits.")
        case DeviceKind.CODE_CARD:
            if line.secret and not CELLS.fullmatch(line.secret):
                yield _("the secret of a card must be its 224 values, or empty.")
            if line.pin:
                yield _("a card has no PIN.")
        case _:
            yield _("the kind must be dsc_plus or code_card.")


def _conflicts(lines: dict[int, StockLine]) -> Iterator[tuple[int, str | Promise]]:
    """What is wrong with a row because of others: of the file, or in the database."""
    known = queries.known_serials({line.serial for line in lines.values()})
    users = queries.active_users({line.username for line in lines.values() if line.username})
    first: dict[str, int] = {}
    for number, line in lines.items():
        if line.serial and first.setdefault(line.serial, number) != number:
            words = say("the serial number stands in line %(first)d already.")
            yield number, words % {"first": first[line.serial]}
        if line.serial in known:
            yield number, _("a device with this serial number exists already.")
        if line.username and line.username not in users:
            yield number, _("the username is unknown or deactivated.")
