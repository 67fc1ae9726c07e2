"""Orders to the floor's own process."""

import json
from typing import Any

from bench.stage import Stage, in_floor

CODE = "48261975"  # what everybody answers on the code page


def order(where: Stage, **words: Any) -> Any:
    return json.loads(in_floor(where, "bench.floor.people", json.dumps(words)))
