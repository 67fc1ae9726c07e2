"""
A message centre that speaks SMPP 3.4: `smpp://system_id:password@host/?from=Portal`, with TLS, or
`smpp+tcp://…` for one on this machine (the end of a tunnel).

Each message has a connection of its own: bind as transmitter, submit, unbind. The protocol knows no key
that is taken once, and its receipts go to those who stay bound, so none is asked for.
"""

import struct
from contextlib import suppress
from socket import socket
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from smpplib import consts
from smpplib.exceptions import UnknownCommandError
from smpplib.smpp import make_pdu, parse_pdu

from portal.outbox import encoding
from portal.outbox.channels.base import DeliveryError, Message
from portal.outbox.channels.reaching import reach

from .base import Provider, key_of

VERSION = 0x34
LONGEST_PASSWORD, LONGEST_NAME = 8, 11  # characters: section 4.1.1; an alphanumeric sender's
LONGEST_WAIT = 259_200  # seconds that the centre may keep a message
LARGEST = 4096  # bytes of one answer
CODINGS = {
    encoding.GSM7: consts.SMPP_ENCODING_DEFAULT,
    encoding.UCS2: consts.SMPP_ENCODING_ISO10646,
}


class Backend(Provider):
    scheme: ClassVar[str] = "smpp"
    plain: ClassVar[str] = "tcp"
    ports: ClassVar[tuple[int, int]] = (3550, 2775)
    form: ClassVar[str] = (
        "smpp://system_id:password@host/?from=…, the password of 8 characters at most, "
        "and a name as sender of 11"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        is_number = self.sender.lstrip("+").isdecimal()
        if len(self.password) > LONGEST_PASSWORD or (
            not is_number and len(self.sender) > LONGEST_NAME
        ):
            raise ImproperlyConfigured(f"SMS provider {self.name} must be {self.form}")

    def send(self, message: Message) -> str:
        """The centre's id of the first part."""
        assert self.url.hostname
        submitted, taken = False, ""
        try:
            with reach(self.url.hostname, self.port, tls=not self.is_plain) as reached:
                link = _Link(reached)
                who = {"system_id": self.user, "password": self.password}
                link.ask("bind_transmitter", **who, interface_version=VERSION)
                for part in _submissions(message, self.sender):
                    submitted = True
                    answer = link.ask("submit_sm", **part)
                    taken = taken or (answer.message_id or b"").decode("latin-1")[:80]
                link.leave()
        except _Refused as error:
            # Who repeats it sends the parts again that were taken.
            words = f"{error.command} 0x{error.status:08X}"
            raise DeliveryError(words, permanent=error.is_final, unsure=bool(taken)) from None
        except (OSError, EOFError, ValueError, struct.error, UnknownCommandError) as error:
            raise DeliveryError(type(error).__name__, unsure=submitted) from None
        return taken


class _Refused(Exception):
    def __init__(self, command: str, status: int) -> None:
        super().__init__(command, status)
        self.command = command
        self.status = status

    @property
    def is_final(self) -> bool:
        """The number is none; whatever else is wrong is no fault of the number."""
        return self.command == "submit_sm" and self.status == consts.SMPP_ESME_RINVDSTADR


class _Link:
    """Asks one thing at a time, and answers the centre's own questions meanwhile."""

    def __init__(self, reached: socket) -> None:
        self._socket = reached
        self.sequence = 0

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence

    def ask(self, command: str, **fields: Any) -> Any:
        """The answer. Raises _Refused; EOFError when the centre hangs up; OSError; ValueError for garbage."""
        question = make_pdu(command, client=self, **fields)
        self._socket.sendall(question.generate())
        while True:
            told = self._read()
            if told.is_response() and told.sequence == question.sequence:
                if told.status:
                    raise _Refused(command, told.status)
                return told
            if told.command == "enquire_link":
                answer = make_pdu("enquire_link_resp", client=self)
                answer.sequence = told.sequence
                self._socket.sendall(answer.generate())
            elif told.command == "unbind":
                raise EOFError

    def leave(self) -> None:
        """Nothing depends on it any more."""
        with suppress(OSError):
            self._socket.sendall(make_pdu("unbind", client=self).generate())

    def _read(self) -> Any:
        head = self._exactly(4)
        length = int.from_bytes(head, "big")
        if not 16 <= length <= LARGEST:
            raise ValueError("no length")
        rest = self._exactly(length - 4)
        return parse_pdu(head + rest, client=self, allow_unknown_opt_params=True)

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self._socket.recv(count - len(found))
            if not part:
                raise EOFError
            found += part
        return found


def _submissions(message: Message, sender: str) -> list[dict[str, Any]]:
    """The fields of each `submit_sm`. Parts carry a header (3GPP TS 23.040 section 9.2.3.24.1)."""
    coding, parts = encoding.encoded(message.text)
    seconds_left = int((message.expires_at - timezone.now()).total_seconds())
    fields = {
        **_sender(sender),
        "dest_addr_ton": consts.SMPP_TON_INTL,
        "dest_addr_npi": consts.SMPP_NPI_ISDN,
        "destination_addr": message.to.lstrip("+"),
        "validity_period": _relative(max(1, min(seconds_left, LONGEST_WAIT))),
        "data_coding": CODINGS[coding],
        "registered_delivery": consts.SMPP_SMSC_DELIVERY_RECEIPT_NONE,
    }
    if len(parts) == 1:
        return [{**fields, "esm_class": 0, "short_message": parts[0]}]
    mark = int(key_of(message)[:2], 16)  # the same again when the message is repeated
    heads = [bytes([5, 0, 3, mark, len(parts), number]) for number in range(1, len(parts) + 1)]
    return [
        {**fields, "esm_class": consts.SMPP_GSMFEAT_UDHI, "short_message": head + part}
        for head, part in zip(heads, parts, strict=True)
    ]


def _sender(text: str) -> dict[str, Any]:
    if text.startswith("+"):
        kind, plan = consts.SMPP_TON_INTL, consts.SMPP_NPI_ISDN
    elif text.isdecimal():
        kind, plan = consts.SMPP_TON_UNK, consts.SMPP_NPI_ISDN
    else:
        kind, plan = consts.SMPP_TON_ALNUM, consts.SMPP_NPI_UNK
    return {
        "source_addr_ton": kind,
        "source_addr_npi": plan,
        "source_addr": text.removeprefix("+"),
    }


def _relative(seconds: int) -> str:
    """From now on, as SMPP writes it (section 7.1.1.2): YYMMDDhhmmss, a tenth, and R."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return f"0000{days:02}{hours:02}{minutes:02}{rest:02}000R"
