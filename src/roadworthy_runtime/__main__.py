"""``python -m roadworthy_runtime WORD …``: what runs inside other people's environments."""

from __future__ import annotations

import importlib
import sys

WORDS = {
    "worker": "roadworthy_runtime.worker",
    "nursery": "roadworthy_runtime.nursery",
    "record": "roadworthy_runtime.record",
    "verify": "roadworthy_runtime.verify",
}


def main(arguments: list[str]) -> int:
    """Hand over to the module that the first word names; its exit code."""
    if not arguments or arguments[0] not in WORDS:
        print(f"say one of: {', '.join(sorted(WORDS))}", file=sys.stderr)
        return 2
    module = importlib.import_module(WORDS[arguments[0]])
    code: int = module.main(arguments[1:])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
