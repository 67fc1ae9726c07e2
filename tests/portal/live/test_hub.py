"""The bells of a process: rung by a real broker, and by everything that may have hidden a word."""

import asyncio
from collections.abc import Callable

import pytest

from portal.live import hub as module
from portal.live.hub import Hub


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.2)
    monkeypatch.setattr(module, "PAUSE", 0.05)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def rings(bell: asyncio.Event, seconds: float = 10) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return False
    bell.clear()
    return True


async def stop(hub: Hub) -> None:
    assert hub._task
    hub._task.cancel()
    await asyncio.gather(hub._task, return_exceptions=True)


def test_a_bell_rings_for_its_topic_only(valkey):
    async def run():
        hub = Hub()
        with hub.waiting("login:1") as mine, hub.waiting("login:2") as other:
            await until(lambda: hub.is_up)
            assert await rings(mine)  # the broker has come
            assert await rings(other)
            assert valkey.publish("live:login:1") == 1
            assert await rings(mine)
            assert not await rings(other, 0.1)
            valkey.publish("another:login:2")
            assert not await rings(other, 0.1)
        await stop(hub)

    asyncio.run(run())


def test_one_connection_serves_any_number_of_waiting_browsers(valkey):
    async def run():
        hub = Hub()
        waits = [hub.waiting(f"login:{number}") for number in range(50)]
        bells = [wait.__enter__() for wait in waits]
        await until(lambda: hub.is_up)
        for bell in bells:
            bell.clear()
        assert valkey.publish("live:login:7") == 1
        assert await rings(bells[7])
        for wait in waits:
            wait.__exit__(None, None, None)
        assert hub._bells == {}
        await stop(hub)

    asyncio.run(run())


def test_everybodys_bell_rings_when_the_broker_goes_and_when_it_comes_back(valkey):
    async def run():
        hub = Hub()
        with hub.waiting("login:1") as bell:
            await until(lambda: hub.is_up)
            bell.clear()
            valkey.kill()
            assert await rings(bell)
            assert not hub.is_up
            valkey.start()
            await until(lambda: hub.is_up)
            assert await rings(bell)
            valkey.publish("live:login:1")
            assert await rings(bell)
        await stop(hub)

    asyncio.run(run())


def test_a_frozen_broker_is_noticed_and_a_silent_one_is_not_given_up(valkey):
    async def run():
        hub = Hub()
        with hub.waiting("login:1") as bell:
            await until(lambda: hub.is_up)
            await asyncio.sleep(1)  # five times the silence
            assert hub.is_up
            bell.clear()
            valkey.freeze()
            try:
                assert await rings(bell, 2)
                assert not hub.is_up
            finally:
                valkey.thaw()
            await until(lambda: hub.is_up)
        await stop(hub)

    asyncio.run(run())


def test_without_any_broker_the_hub_is_down_and_goes_on_trying(settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"

    async def run():
        hub = Hub()
        with hub.waiting("login:1") as bell:
            await asyncio.sleep(0.3)
            assert not hub.is_up
            assert not bell.is_set()  # everybody asks at his own pace
            assert hub._task
            assert not hub._task.done()
        await stop(hub)

    asyncio.run(run())


def test_a_hub_that_a_defect_has_ended_starts_again_with_the_next_who_waits(valkey):
    async def run():
        hub = Hub()
        with hub.waiting("login:1"):
            await until(lambda: hub.is_up)
            await stop(hub)
            assert not hub.is_up
            with hub.waiting("login:1"):
                await until(lambda: hub.is_up)
        await stop(hub)

    asyncio.run(run())
