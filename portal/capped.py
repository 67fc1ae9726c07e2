"""Counting that stops: beyond a certain number nobody reads it, and the database need not find out."""

from typing import Any

from django.db.models import BigIntegerField, QuerySet, Subquery


class CountUpTo(Subquery):
    """
    As a column: how many `rows` there are, and `most + 1` when there are more than `most`. Several of them
    are one query. Rows that are sliced already are counted as they are.
    """

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = BigIntegerField()  # type: ignore[assignment]

    def __init__(self, rows: QuerySet[Any, Any], most: int) -> None:
        if not rows.query.is_sliced:
            rows = rows.order_by().values("pk")[: most + 1]
        super().__init__(rows)
