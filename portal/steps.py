"""Jobs of several steps, of which one may be broken."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import InterfaceError, OperationalError

Result = TypeVar("Result")
log = logging.getLogger(__name__)


def take(steps: Iterable[Callable[[], Result]]) -> list[Result]:
    """
    Take the steps one after the other, those after a broken one as well: what always fails must not hold up the
    rest for ever. The first error is raised at the end; that of a database which is away, at once.
    """
    results: list[Result] = []
    errors: list[Exception] = []
    for step in steps:
        try:
            results.append(step())
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.exception("a step of a job is broken; the others go on")
            errors.append(error)
    if errors:
        raise errors[0]
    return results
