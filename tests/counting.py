"""Counting SQL statements, transaction control left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection

CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass
class Count:
    statements: list[str] = field(default_factory=list)

    @property
    def sql(self) -> int:
        return len(self.statements)

    @property
    def writes(self) -> int:
        return sum(statement.lstrip().upper().startswith(WRITES) for statement in self.statements)

    def __str__(self) -> str:
        return "\n".join(statement.strip()[:160] for statement in self.statements)


@contextmanager
def counting() -> Iterator[Count]:
    """Collects every statement the default connection executes inside."""
    count = Count()

    def note(execute, sql, params, many, context):
        if not sql.lstrip().upper().startswith(CONTROL):
            count.statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield count
