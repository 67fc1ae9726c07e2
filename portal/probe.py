"""
Is the process beside me at work? For the health checks of containers: `python -m portal.probe web|worker|beat`.

No Django, no database, no broker: it must be cheap enough to ask every few seconds. A web process is asked for
`/health/ready/` on PORT (8000); a worker and beat touch a file in HEARTBEAT_FOLDER whenever they leave their mark.
"""

import http.client
import os
import sys
import time
from pathlib import Path

OLDEST = 90.0  # seconds since the mark
PATIENCE = 5.0  # seconds to wait for an answer


def is_at_work(kind: str) -> bool:
    return web_is_ready() if kind == "web" else has_fresh_mark(kind)


def web_is_ready() -> bool:
    port = int(os.environ.get("PORT", "8000"))
    host = os.environ.get("ALLOWED_HOSTS", "127.0.0.1").split(",")[0].strip()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/health/ready/", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def has_fresh_mark(kind: str) -> bool:
    try:
        made = Path(os.environ["HEARTBEAT_FOLDER"], f"{kind}.alive").stat().st_mtime
    except (KeyError, OSError):
        return False
    return time.time() - made < OLDEST


if __name__ == "__main__":
    sys.exit(0 if is_at_work(sys.argv[1]) else 1)
