"""
A portal with its claims broken on purpose, for `test_harness.py`: put this folder on PYTHONPATH and every
conditional update of a login becomes "read it, then save it". Only the harness's own proof uses it.
"""

import importlib.abc
import importlib.machinery
import sys

BROKEN = {
    "sls.devices.challenges": (
        "        claimed = _claim(pk=challenge.pk, purpose=purpose, session=session, now=now)\n",
        (
            "        claimed = challenge.state == ChallengeState.OPEN\n"
            "        challenge.state, challenge.answered_at = ChallengeState.ANSWERED, now\n"
            "        challenge.save()\n"
        ),
    ),
    "sls.login.completion": (
        "    if not _end(pk=attempt.pk, password=user.password, now=now) or not _use(pk=grant.pk, now=now):\n",
        (
            "    was_pending = attempt.state == AttemptState.PENDING\n"
            "    attempt.state = AttemptState.COMPLETED\n"
            "    attempt.save()\n"
            "    if not was_pending:\n"
        ),
    ),
}


class Breaker(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    def find_spec(self, name, path, target=None):
        if name not in BROKEN:
            return None
        self.found = importlib.machinery.PathFinder.find_spec(name, path)
        return importlib.machinery.ModuleSpec(name, self, origin=self.found.origin)

    def get_filename(self, name):
        return importlib.machinery.PathFinder.find_spec(
            name, sys.modules[name.rpartition(".")[0]].__path__
        ).origin

    def get_data(self, path):
        with open(path, "rb") as file:
            return file.read()

    def source_to_code(self, data, path, **kwargs):
        text = data.decode()
        for right, wrong in BROKEN.values():
            if right in text:
                return compile(text.replace(right, wrong), path, "exec")
        raise ImportError(f"nothing to break in {path}")

    def path_stats(self, path):
        raise OSError  # no cached bytecode


sys.meta_path.insert(0, Breaker())
