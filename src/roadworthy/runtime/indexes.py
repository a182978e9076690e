"""Where packages come from: the user's own pip settings, as values and as uv understands them."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from roadworthy.core.values import Value
from roadworthy.errors import EnvironmentFailed

_SECTIONS = ("global", "install")
_TRUE = ("1", "true", "yes", "on", "y", "t")


class IndexSettings(Value, frozen=True):
    """Package indexes and how to reach them; empty means the tools' own defaults."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    cert: str = ""
    proxy: str = ""

    def environment(self, present: Mapping[str, str]) -> dict[str, str]:
        """The same as variables for uv, which never show an address's password in a process list.

        What the user has set for uv itself (``present``) is left as it is. As with pip, all
        indexes are equal: an exact version is taken from whichever has it.
        """
        wanted = {
            "UV_DEFAULT_INDEX": self.index_url,
            "UV_INDEX": " ".join(self.extra_index_urls),
            "UV_INDEX_STRATEGY": "unsafe-best-match" if self.extra_index_urls else "",
            "UV_FIND_LINKS": ",".join(self.find_links),
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
            "SSL_CERT_FILE": self.cert,
            "ALL_PROXY": self.proxy,
        }
        return {key: value for key, value in wanted.items() if value and key not in present}


def read_index_settings(
    environ: Mapping[str, str] | None = None, prefix: Path | None = None
) -> IndexSettings:
    """The index settings that pip would use: its files, then its environment variables.

    ``prefix`` is the environment whose own ``pip.conf`` counts. Raises EnvironmentFailed for a
    file that can't be read as one of pip's.
    """
    environ = os.environ if environ is None else environ
    options: dict[str, str] = {}
    for path in _files(environ, prefix):
        options.update(_read(path))
    for key, value in environ.items():
        if key.startswith("PIP_"):
            options[key[4:].lower().replace("_", "-")] = value
    return IndexSettings(
        index_url=options.get("index-url", "").strip(),
        extra_index_urls=tuple(options.get("extra-index-url", "").split()),
        find_links=tuple(_absolute(one) for one in options.get("find-links", "").split()),
        no_index=options.get("no-index", "").strip().lower() in _TRUE,
        trusted_hosts=tuple(options.get("trusted-host", "").split()),
        cert=options.get("cert", "").strip(),
        proxy=options.get("proxy", "").strip(),
    )


def _files(environ: Mapping[str, str], prefix: Path | None) -> Iterator[Path]:
    """The configuration files of pip, the last of which decides.

    The places and their order are those of pip's documentation, "Configuration".
    """
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = Path(environ.get("HOME") or Path.home())
    for folder in reversed(environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder or "/etc/xdg") / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    yield Path("/Library/Application Support/pip/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    if prefix is not None:
        yield prefix / "pip.conf"
    if named:
        yield Path(named)


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise EnvironmentFailed(
            f"pip's settings in {path} can't be read: {error}", cure="mend or remove that file"
        ) from error
    return {
        key.replace("_", "-"): value
        for section in _SECTIONS
        if parser.has_section(section)
        for key, value in parser.items(section)
    }


def _absolute(place: str) -> str:
    """A folder that is named from here, named from everywhere; addresses stay."""
    path = Path(place).expanduser()
    return str(path.absolute()) if "://" not in place and path.exists() else place
