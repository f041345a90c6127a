"""What a process imports before it is ready."""

import subprocess
import sys


def test_a_server_is_ready_before_fastapi_is_imported() -> None:
    wired = "import sys, serinus_server.__main__, serinus_server.wiring; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", wired], capture_output=True, text=True, timeout=50, check=True
    )
    imported = set(done.stdout.split())
    assert {"onnxruntime", "uvicorn"} <= imported
    assert not imported & {"fastapi", "pydantic", "httpx", "hiredis", "sqlite3"}
