"""`make bench`: every benchmark in turn, each in a process of its own, under one heading of date and machine.

python -m bench             all of them
python -m bench joins       one or more by name
"""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

NAMES = ("server", "by_key", "joins", "drift_false_alarms")


def machine() -> str:
    """Return the processor, cores and memory as one line."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{model}, {os.cpu_count()} cores, {gib:.0f} GiB, Linux {platform.release().split('-')[0]}"


def main(names: list[str]) -> int:
    """Run the named benchmarks; return how many failed."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {machine()}, Python {platform.python_version()}")
    failed = 0
    for name in names or NAMES:
        print(f"\n## {name}\n", flush=True)
        code = f"from bench.{name} import main; main()"
        failed += subprocess.run([sys.executable, "-c", code], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
