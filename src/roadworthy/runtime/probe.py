"""Run by an interpreter that is described: prints what is installed there, as JSON.

Standard library only, syntax of Python 3.8: it runs in other people's environments.
"""

from __future__ import annotations

import json
import os
import platform
import site
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any


def _add_user_site() -> None:
    """Isolated mode leaves out the user's own packages, which programs do see."""
    if sys.prefix == sys.base_prefix and Path(site.getusersitepackages()).is_dir():
        sys.path.append(site.getusersitepackages())


def _version(info: Any) -> str:
    text = f"{info.major}.{info.minor}.{info.micro}"
    return text if info.releaselevel == "final" else text + info.releaselevel[0] + str(info.serial)


def _markers() -> dict[str, str]:
    """The values that requirements' markers ask for (PEP 508)."""
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": _version(sys.implementation.version),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def _distributions() -> Iterator[dict[str, Any]]:
    for found in metadata.distributions():
        about: Any = found.metadata  # None in some broken installations
        if not about or not about["Name"] or not about["Version"]:
            continue
        direct = found.read_text("direct_url.json")
        develop = found.read_text("PKG-INFO") is not None and found.read_text("RECORD") is None
        folder = str(found.locate_file(""))
        yield {
            "name": about["Name"],
            "version": about["Version"],
            "requires": list(found.requires or ()),
            "direct": json.loads(direct) if direct else None,
            "develop": develop and Path(folder).name not in _INSTALLED,
            "folder": folder,
        }


_INSTALLED = ("site-packages", "dist-packages")


def main() -> None:
    """Print the description."""
    _add_user_site()
    json.dump(
        {
            "python": platform.python_version(),
            "implementation": sys.implementation.name,
            "platform": sysconfig.get_platform(),
            "libc": " ".join(platform.libc_ver()).strip(),
            "prefix": sys.prefix,
            "base": getattr(sys, "_base_executable", None) or sys.executable,
            "markers": _markers(),
            "distributions": list(_distributions()),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
