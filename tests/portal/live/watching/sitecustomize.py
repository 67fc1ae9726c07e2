"""
A portal whose browsers can wait for rows of a table that only tests have: put this folder on PYTHONPATH. When
`portal.asgi` has been loaded, the kind "try" is watched, and every login tells the user's topic.
"""

import importlib.abc
import importlib.machinery
import sys

MORE = b"""
from django.contrib.auth.signals import user_logged_in
from django.db import connection
from portal.live import publish, readers

def _is_done(key):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM try_row WHERE id = %s AND done = 1", [int(key)])
        return cursor.fetchone() is not None

def _tell(user, **kwargs):
    publish.look_again(f"try:{user.pk}")

readers.watch("try", _is_done)
user_logged_in.connect(_tell)
"""


class Adder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "portal.asgi":
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path)
        loader = Appending(name, found.origin)
        return importlib.machinery.ModuleSpec(name, loader, origin=found.origin)


class Appending(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        source = self.get_data(self.get_filename(fullname)) + MORE
        return self.source_to_code(source, self.path)


sys.meta_path.insert(0, Adder())
