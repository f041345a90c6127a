"""What a process imports before it is ready."""

import os
import subprocess
import sys


def test_a_server_is_ready_before_fastapi_is_imported() -> None:
    wired = "import sys, serinus_server.__main__, serinus_server.wiring; print(*sys.modules)"
    # A measurement of coverage would bring imports of its own.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", wired], capture_output=True, text=True, timeout=50, check=True, env=bare
    )
    imported = set(done.stdout.split())
    assert {"onnxruntime", "uvicorn"} <= imported
    assert not imported & {"fastapi", "pydantic", "httpx", "hiredis", "sqlite3"}
