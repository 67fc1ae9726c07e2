"""The demo's devices, as their holder uses them: from their own secrets, without the server's database."""

from sls import codecard, oath
from sls.catalog import CHALLENGE_DIGITS, DeviceKind

from . import cast


class NoAnswer(Exception):
    """The device cannot answer this; the message says why."""


def answer(serial: str, question: str, *, pin: str = "") -> str:
    """What the device displays. A wrong PIN gives a wrong response, as on a real DSC+."""
    known = {device.serial: device for device in [*cast.DEVICES, *cast.PHONES]}
    device = known.get(serial.strip().upper())
    if device is None:
        raise NoAnswer(f"no such device; there are {', '.join(known)}")
    try:
        return _answer(device, question, pin)
    except ValueError as error:
        raise NoAnswer(str(error)) from error


def _answer(device: cast.DemoDevice, question: str, pin: str) -> str:
    if device.kind == DeviceKind.TEMPORARY_CODE:
        return device.temporary_code
    if device.kind == DeviceKind.CODE_CARD:
        pair = " ".join(question.replace(",", " ").split())
        return codecard.expected(list(device.cells.values()), pair)
    digits = "".join(question.split())
    if len(digits) != CHALLENGE_DIGITS or not digits.isdigit():
        raise NoAnswer("a challenge code has six digits")
    if device.kind == DeviceKind.DSC_PLUS:
        return oath.ocra(device.suite, bytes.fromhex(device.secret), digits, pin=pin)
    return oath.ocra(device.suite, bytes.fromhex(device.secret), digits)
