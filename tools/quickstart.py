"""First success: deploys the flight example, asks it for one prediction, says where to look.

Uses only the command line, as a person would, so that each step can be repeated by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from roadworthy.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).with_name("roadworthy")
MODEL = "flight-delay"


def main() -> int:
    """The exit code of the first command that failed, or 0."""
    began = time.monotonic()
    settings = load_settings(ROOT, os.environ)
    steps = [
        f"deploy examples/flight_delay/train.py --input flights --output scores --name {MODEL}",
        f"predict {MODEL} examples/flight_delay/rows.csv",
        "status",
    ]
    for step in steps:
        print(f"\n$ roadworthy {step}", flush=True)
        code = subprocess.run([COMMAND, *step.split()], cwd=ROOT, check=False).returncode
        if code:
            print("\nIt stopped here. `.venv/bin/roadworthy doctor` looks for the reason.")
            return code
    address = json.loads(settings.control_file.read_text())["address"]
    seconds = time.monotonic() - began
    print(f"""
Done in {seconds:.0f} seconds. The model answers; its page shows what was captured and measured:

    {address}

Next: change a line of examples/flight_delay/train.py and run the first command again; then
`roadworthy rollback {MODEL}`. The command is in .venv/bin. `roadworthy down` stops everything.""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
