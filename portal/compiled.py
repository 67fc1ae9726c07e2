"""
Queries compiled once.

Django turns a queryset into SQL at every use, which takes longer than the database needs to answer it. For
the few reads that every page makes, this keeps the SQL and fills in the values:

    @compiled(user=models.BigIntegerField(), now=models.DateTimeField())
    def _open_sessions(user, now):
        return Session.objects.filter(user=user, expire_date__gt=now)

    rows = _open_sessions(user=7, now=now)    # a list: models, or tuples of a `values_list`

The function is called once, with placeholders for values; it must not decide anything by them. For
`@compiled_update` it returns the rows to update, as a queryset, and the new columns, as a dict;
`@compiled_claim` does the same and gives the rows as they are afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from typing import Any

from django.db import connection, models
from django.db.models.expressions import Expression
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.sql import UpdateQuery


class Param(Expression):
    """The place of a value in a compiled query."""

    def __init__(self, name: str, output_field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return "%s", [self]


Values = dict[str, Any]
Fields = dict[str, "models.Field[Any, Any]"]


class Update:
    """What `@compiled_update` makes of a function: call it with the values by name; how many rows it touched."""

    def __init__(self, build: Callable[..., tuple[Any, Values]], fields: Fields) -> None:
        self._build = build
        self._fields = fields
        self.__doc__ = build.__doc__

    def __call__(self, **values: Any) -> int:
        sql, params = self._statement
        with kept_cursor() as cursor:
            cursor.execute(sql, _fill(params, values))
            return int(cursor.rowcount)

    def statement(self, **values: Any) -> tuple[str, list[Any]]:
        """The SQL and its values, to be part of a longer statement."""
        sql, params = self._statement
        return sql, _fill(params, values)

    @cached_property
    def _statement(self) -> tuple[str, list[Any]]:
        queryset, columns = self._build(**_placeholders(self._fields))
        query = queryset.query.chain(UpdateQuery)
        query.add_update_values(columns)
        sql, params = query.get_compiler(using=queryset.db).as_sql()
        return sql, list(params)


class Claim(Update):
    """What `@compiled_claim` makes of a function: the updated rows, as models with all their columns."""

    def __call__(self, **values: Any) -> list[Any]:  # type: ignore[override]
        sql, params = self._statement
        with kept_cursor() as cursor:
            cursor.execute(sql + self._returning, _fill(params, values))
            rows = cursor.fetchall()
        return list(self._shape.results(rows))

    @cached_property
    def _returning(self) -> str:
        quote = connection.ops.quote_name
        fields = self._shape.fields
        return " RETURNING " + ", ".join(quote(field.column) for field in fields)

    @cached_property
    def _shape(self) -> _Shape:
        queryset, _columns = self._build(**_placeholders(self._fields))
        return _Shape(queryset.model._base_manager.all())


class Compiled:
    """What `@compiled` makes of a function: call it with the values by name."""

    def __init__(
        self,
        build: Callable[..., models.QuerySet[Any, Any]],
        fields: Fields,
    ) -> None:
        self._build = build
        self._fields = fields
        self.__doc__ = build.__doc__

    def __call__(self, **values: Any) -> list[Any]:
        self._shape  # noqa: B018  # compiled before the cursor is opened
        with kept_cursor() as cursor:
            cursor.execute(self._shape.sql, _fill(self._shape.params, values))
            rows = cursor.fetchall()
        return list(self._shape.results(rows))

    def first(self, **values: Any) -> Any:
        """The first result, or None."""
        return next(iter(self(**values)), None)

    @cached_property
    def _shape(self) -> _Shape:
        return _Shape(self._build(**_placeholders(self._fields)))


class _Shape:
    """The SQL of a queryset and what turns its rows into results."""

    def __init__(self, queryset: models.QuerySet[Any, Any]) -> None:
        compiler: Any = queryset.query.get_compiler(using=queryset.db)
        self.sql, self.params = compiler.as_sql()
        columns = [column for column, _sql, _alias in compiler.select[: compiler.col_count]]
        self._converters = compiler.get_converters(columns)
        self._annotations = compiler.annotation_col_map or {}
        self._db = queryset.db
        self._model = None
        if queryset._iterable_class is ModelIterable:
            fields = compiler.klass_info["select_fields"]
            self._model = compiler.klass_info["model"]
            self._own = slice(fields[0], fields[-1] + 1)
            self.fields = [column.target for column in columns[self._own]]
            self._names = [column.target.attname for column in columns[self._own]]
            populators: Any = get_related_populators
            self._related = populators(compiler.klass_info, compiler.select, queryset.db)

    def results(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        converted = map(self._convert, rows) if self._converters else rows
        return map(self._instance, converted) if self._model else iter(converted)

    def _convert(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        cells = list(row)
        for position, (converters, column) in self._converters.items():
            for converter in converters:
                cells[position] = converter(cells[position], column, connection)
        return tuple(cells)

    def _instance(self, row: tuple[Any, ...]) -> models.Model:
        assert self._model is not None
        found: models.Model = self._model.from_db(self._db, self._names, row[self._own])
        for populator in self._related:
            populator.populate(row, found)
        for name, position in self._annotations.items():
            setattr(found, name, row[position])
        return found


def compiled_update(**fields: models.Field[Any, Any]) -> Callable[[Callable[..., Any]], Update]:
    """Compile the update of the rows and columns that the decorated function returns."""
    return lambda build: Update(build, fields)


def compiled_claim(**fields: models.Field[Any, Any]) -> Callable[[Callable[..., Any]], Claim]:
    """Compile the update that the decorated function describes, and read the rows in the same statement."""
    return lambda build: Claim(build, fields)


def run(sql: str, values: Iterable[Any]) -> int:
    """Execute a statement put together by the caller of kept parts; how many rows it touched."""
    with kept_cursor() as cursor:
        cursor.execute(sql, list(values))
        return int(cursor.rowcount)


def insertion(model: type[models.Model], row: models.Model) -> tuple[list[str], list[Any]]:
    """Quoted columns, without the key that the database gives, and the values of a new row."""
    columns, fields = _columns_of(model)
    return columns, [f.get_db_prep_save(f.pre_save(row, True), connection) for f in fields]


@cache
def _columns_of(
    model: type[models.Model],
) -> tuple[list[str], list[models.Field[Any, Any]]]:
    fields: Any = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    return [connection.ops.quote_name(field.column) for field in fields], fields


def _placeholders(fields: Fields) -> dict[str, Param]:
    return {name: Param(name, field) for name, field in fields.items()}


def _fill(params: Iterable[Any], values: Values) -> list[Any]:
    return [
        p.output_field.get_db_prep_value(values[p.name], connection) if isinstance(p, Param) else p
        for p in params
    ]


def kept_cursor() -> Any:
    """A block with a cursor that prepares its statements, where the database has such (portal.postgresql)."""
    return getattr(connection, "prepared_cursor", connection.cursor)()


def insert(row: models.Model) -> None:
    """Save a new row, whose primary key is known, with the SQL kept for its model."""
    statement, fields = _insert_statement(type(row))
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    with kept_cursor() as cursor:
        cursor.execute(statement, values)
    row._state.adding = False
    row._state.db = connection.alias


@cache
def _insert_statement(
    model: type[models.Model],
) -> tuple[str, list[models.Field[Any, Any]]]:
    quote = connection.ops.quote_name
    fields: Any = list(model._meta.local_concrete_fields)
    columns = ", ".join(quote(field.column) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    table = quote(model._meta.db_table)
    return f"INSERT INTO {table} ({columns}) VALUES ({places})", fields  # noqa: S608


def compiled(**fields: models.Field[Any, Any]) -> Callable[[Callable[..., Any]], Compiled]:
    """Compile the decorated function's queryset once; `fields` are the types of its values."""
    return lambda build: Compiled(build, fields)
