"""``python -m roadworthy.serving gateway OPTIONS.json``: a gateway on its own, without the CLI."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from roadworthy.errors import RoadworthyError
from roadworthy.serving.options import GatewayOptions


def main(arguments: list[str]) -> int:
    """Run what the first word names with the options in a file; the exit code."""
    if len(arguments) != 2 or arguments[0] != "gateway":
        print("say: gateway OPTIONS.json", file=sys.stderr)
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
