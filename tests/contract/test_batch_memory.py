"""A file larger than the memory that batch may use; the kernel keeps the limit."""

import subprocess
import sys
from pathlib import Path

from serinus_contracts.artifact import ModelContract

ROWS = 15_000
SPARE = 100 << 20
# Everything is imported and has run once; from here on the data segment may grow by SPARE only.
SCRIPT = """
import resource, sys
from pathlib import Path
from serinus_jobs import batch

folder, small, large, target, spare = sys.argv[1:]
batch.run(Path(folder), small, target, keep=["note"], chunk_rows=500)
used = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + int(spare), used + int(spare)))
print(batch.run(Path(folder), large, target, keep=["note"], chunk_rows=500).rows)
try:
    print("held", len(bytearray(2 * int(spare))))
except MemoryError:
    print("limited")
"""


def write(path: Path, rows: int) -> None:
    note = "x" * 16_000
    with path.open("w") as file:
        file.write("age,tenure_months,monthly_charges,plan,paperless,note\n")
        file.writelines(f"{18 + i % 70},{i % 90},{i % 200}.5,plus,true,{note}\n" for i in range(rows))


def test_a_file_of_twice_the_memory_is_predicted(artifact: tuple[Path, ModelContract], tmp_path: Path):
    write(tmp_path / "small.csv", 1000)
    write(tmp_path / "large.csv", ROWS)
    assert (tmp_path / "large.csv").stat().st_size > 2 * SPARE
    paths = [str(artifact[0]), *(str(tmp_path / name) for name in ("small.csv", "large.csv", "out.csv"))]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *paths, str(SPARE)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == [str(ROWS), "limited"], done.stderr
    assert (tmp_path / "out.csv").stat().st_size > 2 * SPARE
