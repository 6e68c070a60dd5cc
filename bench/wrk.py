"""Load a server with wrk, where it is installed: it takes a fraction of the CPU that a ``Loader`` does."""

import json
import shutil
import subprocess
import tempfile
from uuid import uuid4

from bench.load import Call, Load

# Requests take turns, and what is new in one has the length of what a `Loader` puts there.
SCRIPT = """
local requests, turn, fresh = {%s}, 0, 0

function request()
  turn, fresh = turn %% #requests + 1, fresh + 1
  return (requests[turn]:gsub("{new}", string.format("%s%%08x", fresh)))
end

function done(summary, latency)
  local errors = summary.errors
  io.write("\\n", summary.requests, " ", summary.duration, " ",
    errors.connect + errors.read + errors.write + errors.status + errors.timeout)
  for place = 0, 999 do io.write(" ", latency:percentile(place / 10)) end
end
"""


def installed() -> bool:
    """Return whether it is."""
    return bool(shutil.which("wrk"))


def load(port: int, call: Call, *, seconds: float, connections: int) -> Load:
    """Send one kind of request for so many seconds, which are at least one; the times are a thousand of them.

    Raises AssertionError if there was an answer that tells an error, or none.
    """
    requests = ", ".join(json.dumps(request.written().decode()) for request in call.requests)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % (requests, uuid4().hex[:24]))
        script.flush()
        ran = subprocess.run(
            [
                *("wrk", "--threads=1", f"--connections={connections}", f"--duration={round(seconds) or 1}s"),
                *(f"--script={script.name}", f"http://127.0.0.1:{port}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert not ran.returncode, ran.stdout + ran.stderr
    calls, microseconds, errors, *times = map(int, ran.stdout.rpartition("\n")[2].split())
    assert not errors, ran.stdout
    return Load(calls, microseconds / 1e6, tuple(time / 1e6 for time in times))
