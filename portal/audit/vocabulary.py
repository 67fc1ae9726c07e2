"""The names of all events, of every app that has some: its module `events`."""

from functools import cache
from importlib import import_module

from django.apps import apps
from django.utils.module_loading import module_has_submodule


@cache
def event_names() -> tuple[str, ...]:
    found: set[str] = set()
    for config in apps.get_app_configs():
        if config.module and module_has_submodule(config.module, "events"):
            module = import_module(f"{config.name}.events")
            found |= {
                value
                for name, value in vars(module).items()
                if name.isupper() and isinstance(value, str)
            }
    return tuple(sorted(found))
