"""Refusals are data: an anticipated "no" is an enum member that carries its own words."""

from datetime import timedelta
from enum import Enum
from typing import Any, Self

from django.utils.functional import Promise

Words = str | Promise


class Reason(Enum):
    """
    Base of the enums of anticipated refusals.

    A member's value is its stable code, which web, phone, admin and help desk all show; next to it stand a
    title, the sentence that says why, and the cure that says what now. `help_page` is the help article
    (and anchor) which explains it at length.
    """

    title: Words
    sentence: Words
    cure: Words
    help_page: str

    def __new__(
        cls, code: str, title: Words, sentence: Words, cure: Words, help_page: str = ""
    ) -> Self:
        member = object.__new__(cls)
        member._value_ = code
        member.title = title
        member.sentence = sentence
        member.cure = cure
        member.help_page = help_page
        return member

    @property
    def code(self) -> str:
        return str(self.value)

    @property
    def help_slug(self) -> str:
        return self.help_page.partition("#")[0]

    @property
    def help_anchor(self) -> str:
        return self.help_page.partition("#")[2]


class Refused(Exception):
    """
    Raised by an operation that may not go on. `facts` are for the audit trail, never for the page; `wait`
    is for the page: how long the next try has to wait.
    """

    wait = timedelta(0)

    def __init__(self, reason: Reason, **facts: Any) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.facts = facts

    @property
    def code(self) -> str:
        return self.reason.code
