"""Queries compiled once give what the queryset gives."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction

from portal.compiled import compiled, insert
from portal.models import Entity, User
from sls.models import Challenge, DeviceGrant, SecurityDevice
from tests.conftest import NOW, person

pytestmark = pytest.mark.usefixtures("on_stage")


@compiled(name=models.CharField())
def grants_of(name: Any) -> Any:
    found = DeviceGrant.objects.filter(user__username=name, state="active")
    return found.select_related("device", "user__entity").defer("device__secret").order_by("pk")


@compiled(entity=models.UUIDField(), since=models.DateTimeField())
def grants_in(entity: Any, since: Any) -> Any:
    found = DeviceGrant.objects.filter(user__entity=entity, granted_at__gte=since)
    return found.order_by("pk").values_list("device", "granted_at", "confirmed")


def test_it_gives_the_models_of_the_queryset_with_what_they_relate_to(django_assert_num_queries):
    name = person("requester").username
    with django_assert_num_queries(1):
        (grant,) = grants_of(name=name)
        seen = (grant.device.kind, grant.device.serial, grant.user.entity.name, grant.granted_at)
    assert seen == ("code_card", "SCC-10020042", "Robin Calder", NOW)
    assert grant == DeviceGrant.objects.get(user__username=name)
    assert not grant._state.adding


def test_a_deferred_column_stays_deferred():
    (grant,) = grants_of(name=person("requester").username)
    assert "secret" in grant.device.get_deferred_fields()
    assert grant.device.secret == SecurityDevice.objects.get(pk=grant.device_id).secret


def test_it_gives_rows_in_python_types_for_a_values_list():
    entity = person("owner").entity
    rows = grants_in(entity=entity.pk, since=NOW)
    expected = DeviceGrant.objects.filter(user__entity=entity).order_by("pk")
    assert rows == list(expected.values_list("device", "granted_at", "confirmed"))
    assert rows
    assert grants_in(entity=entity.pk, since=NOW + timedelta(seconds=1)) == []


def test_it_takes_other_values_at_each_call():
    names = [person(plays).username for plays in ("owner", "stranger", "no_device")]
    found = [[grant.user.username for grant in grants_of(name=name)] for name in names]
    assert found == [[names[0]], [names[1]], []]


def test_a_value_is_never_read_as_sql():
    assert grants_of(name="x' OR '1'='1") == []
    assert grants_of(name="%s") == []


def test_first_is_the_first_or_none():
    assert grants_of.first(name=person("owner").username).user == person("owner")
    assert grants_of.first(name="nobody") is None


def test_nothing_equals_a_missing_value():
    @compiled(born=models.DateField())
    def born_on(born: Any) -> Any:
        return Entity.objects.filter(date_of_birth=born)

    Entity.objects.create(name="Unknown")
    assert born_on(born=None) == []


def test_an_annotation_is_set_on_the_model():
    @compiled(name=models.CharField())
    def counted(name: Any) -> Any:
        return User.objects.filter(username=name).annotate(number=models.Count("grants"))

    assert counted.first(name=person("owner").username).number == 1


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(KeyError):
        grants_of(user="robin.calder")


def a_challenge() -> Challenge:
    return Challenge(
        user=person("owner"),
        device=person("owner").grants.get().device,
        purpose="login",
        session="s",
        question="123456",
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=3),
    )


def test_insert_saves_what_save_would(django_assert_num_queries):
    row, other = a_challenge(), a_challenge()
    with django_assert_num_queries(1):
        insert(row)
    other.save(force_insert=True)
    assert not row._state.adding
    saved = [
        Challenge.objects.filter(pk=pk).values().get() | {"id": None} for pk in (row.pk, other.pk)
    ]
    assert saved[0] == saved[1]


def test_insert_keeps_the_rules_of_the_table():
    row = a_challenge()
    row.state = "answered"
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(row)
    assert row._state.adding
