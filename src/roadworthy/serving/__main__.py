"""Processes of the data plane on their own, without the CLI.

``python -m roadworthy.serving gateway OPTIONS.json`` is a gateway; ``tidy`` see log_tidying.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from roadworthy.errors import RoadworthyError
from roadworthy.serving.options import GatewayOptions


def main(arguments: list[str]) -> int:
    """Run what the first word names with what follows it; the exit code."""
    if arguments[:1] == ["tidy"] and len(arguments) == 4:
        from roadworthy.serving import log_tidying

        return log_tidying.main(arguments[1:])
    if len(arguments) != 2 or arguments[0] != "gateway":
        print("say: gateway OPTIONS.json, or tidy DIRECTORY DAYS BYTES", file=sys.stderr)
        return 2
    from roadworthy.serving.gateway_process import run_gateway

    try:
        options = msgspec.json.decode(Path(arguments[1]).read_bytes(), type=GatewayOptions)
        return run_gateway(options)
    except RoadworthyError as error:
        print(str(error), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
