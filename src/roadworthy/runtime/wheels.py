"""Wheels of packages that no index has, made from what is installed or from their folder."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name, parse_wheel_filename

from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.environments import Distribution
from roadworthy.runtime.indexes import read_index_settings
from roadworthy.runtime.uv import run_uv

# Files that an installer adds, which are not part of what was installed.
_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_EPOCH_SECONDS = "315532800"


def make_wheel(distribution: Distribution, python: Path, folder: Path) -> Path:
    """A wheel in ``folder`` that installs this distribution as it is now.

    The same content gives the same bytes. Raises EnvironmentFailed if it can't be made.
    """
    if distribution.origin == "editable":
        return _build(distribution, python, folder)
    return _repack(distribution, folder)


def _build(distribution: Distribution, python: Path, folder: Path) -> Path:
    """Build the wheel from the folder of an editable install."""
    name, version = canonicalize_name(distribution.name), distribution.version
    source = distribution.source
    with tempfile.TemporaryDirectory(prefix="rw-wheel-") as out:
        run_uv(
            ["build", "-q", "--wheel", "--python", str(python), "--out-dir", out, source],
            indexes=read_index_settings(prefix=python.parent.parent),
            doing=f"building a wheel of {name}, which is installed in editable form",
            pins={name: version},
            extra={"SOURCE_DATE_EPOCH": _EPOCH_SECONDS},
        )
        for built in sorted(Path(out).glob("*.whl")):
            made = parse_wheel_filename(built.name)
            if made[0] == name and str(made[1]) == version:
                return Path(shutil.move(built, folder / built.name))
    raise EnvironmentFailed(
        f"{name} is installed in editable form as {version}, but its folder builds another version",
        cure=f"install {name} again, then deploy",
        package=name,
    )


def _repack(distribution: Distribution, folder: Path) -> Path:
    """Put the installed files back into a wheel; scripts are made again when it is installed."""
    site = Path(distribution.folder)
    info = _info_folder(distribution, site)
    entries = sorted(
        (path, (site / path).read_bytes()) for path in _recorded(info / "RECORD", info.name)
    )
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for path, content in entries:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        writer.writerow([path, f"sha256={digest.decode()}", len(content)])
    record = f"{info.name}/RECORD"
    writer.writerow([record, "", ""])
    stem = info.name.removesuffix(".dist-info")
    wheel = folder / f"{stem}-{_tag((info / 'WHEEL').read_text(encoding='utf-8'))}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in [*entries, (record, rows.getvalue().encode())]:
            about = zipfile.ZipInfo(path, date_time=_EPOCH)
            about.external_attr = 0o644 << 16
            archive.writestr(about, content, zipfile.ZIP_DEFLATED)
    return wheel


def _info_folder(distribution: Distribution, site: Path) -> Path:
    wanted = (canonicalize_name(distribution.name), distribution.version)
    for info in site.glob("*.dist-info"):
        name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        whole = (info / "RECORD").is_file() and (info / "WHEEL").is_file()
        if whole and (canonicalize_name(name), version) == wanted:
            return info
    raise EnvironmentFailed(
        f"{wanted[0]} {wanted[1]} was installed without a record of its files",
        cure=f"install {wanted[0]} with pip or uv, then deploy",
        package=wanted[0],
    )


def _recorded(record: Path, info: str) -> Iterator[str]:
    with record.open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines):
            path = PurePosixPath(row[0])
            outside = path.is_absolute() or ".." in path.parts
            added = str(path.parent) == info and path.name in _INSTALLERS
            if not outside and not added and "__pycache__" not in path.parts:
                yield str(path)


def _tag(wheel: str) -> str:
    """The part of a wheel's file name that says where it can be installed (PEP 425)."""
    tags = [tag.split("-") for tag in re.findall(r"^Tag: (\S+)$", wheel, flags=re.M)]
    columns = (dict.fromkeys(part) for part in zip(*tags, strict=True))
    return "-".join(".".join(sorted(column)) for column in columns)
