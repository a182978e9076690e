"""Settings: read once from ``roadworthy.toml``, the environment and flags; then frozen.

A flag beats the environment, the environment beats the file. Nothing else in Roadworthy
reads an environment variable that begins with ``ROADWORTHY_``.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from roadworthy.core.names import nearest
from roadworthy.core.values import Value
from roadworthy.errors import SettingsError

FILE = "roadworthy.toml"
PREFIX = "ROADWORTHY_"


class ControlSettings(Value, frozen=True):
    """Where the control plane (API and pages) listens."""

    host: str = "127.0.0.1"
    port: int = 8400


class GatewaySettings(Value, frozen=True):
    """Where the gateway answers requests for predictions."""

    host: str = "127.0.0.1"
    port: int = 8401


class LogSettings(Value, frozen=True):
    """The prediction log. ``flush_seconds`` is the longest that a row waits in memory."""

    flush_seconds: float = 5.0


class Settings(Value, frozen=True):
    """All settings, checked.

    ``metadata`` and ``blobs`` are URLs; an empty text means inside ``home``. ``token`` is what
    callers must show where something listens beyond loopback. ``blob_options`` are settings of
    the object store's service. ``file`` is the ``roadworthy.toml`` that was read, if any.
    """

    home: Path
    metadata: str = ""
    blobs: str = ""
    token: str = ""
    blob_options: dict[str, str] = msgspec.field(default_factory=dict)
    control: ControlSettings = ControlSettings()
    gateway: GatewaySettings = GatewaySettings()
    log: LogSettings = LogSettings()
    file: Path | None = None

    def __repr__(self) -> str:
        """Without anything that is secret."""
        return f"Settings(home={str(self.home)!r}, file={str(self.file)!r})"

    @property
    def metadata_url(self) -> str:
        """The URL of the metadata database."""
        return self.metadata or f"sqlite:///{self.home / 'roadworthy.db'}"

    @property
    def blobs_url(self) -> str:
        """The URL, or the directory, of the blobs."""
        return self.blobs or str(self.home / "blobs")

    @property
    def releases(self) -> Path:
        """Flow directories written from blobs, one a release digest."""
        return self.home / "releases"

    @property
    def environments(self) -> Path:
        """Environments made from locks, one a lock digest."""
        return self.home / "envs"

    @property
    def runtime(self) -> Path:
        """Copies of the runtime for other environments, one a digest."""
        return self.home / "runtime"

    @property
    def agent(self) -> Path:
        """What the agent knows: its last table, what the gateway reads, its status."""
        return self.home / "agent"

    @property
    def agent_logs(self) -> Path:
        """Logs of gateway and workers."""
        return self.agent / "logs"

    @property
    def routing_file(self) -> Path:
        """The last routing table that the agent fetched."""
        return self.agent / "routing.json"

    @property
    def gateway_file(self) -> Path:
        """What the gateway reads."""
        return self.agent / "gateway.json"

    @property
    def status_file(self) -> Path:
        """What the agent reported last."""
        return self.agent / "status.json"

    @property
    def predictions(self) -> Path:
        """Segments of the prediction log."""
        return self.home / "predictions"

    @property
    def run(self) -> Path:
        """What lives as long as the processes: addresses and locks."""
        return self.home / "run"

    @property
    def control_file(self) -> Path:
        """Where the control plane that runs says its process and address."""
        return self.run / "control.json"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor of this home."""
        return self.run / "supervisor.lock"

    @property
    def control_address(self) -> str:
        """``http://host:port`` of the control plane."""
        return address(self.control.host, self.control.port)

    @property
    def gateway_address(self) -> str:
        """``http://host:port`` of the gateway."""
        return address(self.gateway.host, self.gateway.port)


def address(host: str, port: int) -> str:
    """The URL under which a host and port answer.

    >>> address("::1", 8400)
    'http://[::1]:8400'
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def load_settings(
    cwd: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings that hold in a directory, an environment and under some flags.

    ``flags`` are dotted names (``control.port``) with values; None means not given. Besides
    its arguments this reads only the nearest ``roadworthy.toml``, in ``cwd`` or above it.
    Raises SettingsError, naming the file, variable or flag.
    """
    cwd = cwd.absolute()
    file = _find_file(cwd)
    given: dict[str, tuple[Any, str, Path]] = {}
    if file is not None:
        for key, value in _flatten(_read(file)):
            given[_known(key, str(file))] = (value, f"`{key}` in {file}", file.parent)
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and text != "":
            given[_named_by(variable)] = (text, variable, cwd)
    for key, value in (flags or {}).items():
        if value is not None:
            option = "--" + key.replace(".", "-").replace("_", "-")
            given[_known(key, option)] = (value, option, cwd)
    values = {key: _converted(key, *found) for key, found in given.items()}
    values.setdefault("home", _default_home(file, environ))
    settings = _build(values, file)
    _check_exposure(settings)
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _find_file(cwd: Path) -> Path | None:
    for directory in (cwd, *cwd.parents):
        if (directory / FILE).is_file():
            return directory / FILE
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}", cure="correct that place") from None
    except OSError as error:
        raise SettingsError(
            f"{file} can't be read: {error.strerror}", cure="give this user the right to read it"
        ) from None


def _keys() -> dict[str, Any]:
    """Every setting's dotted name with its type."""
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(Settings).items():
        if name == "file":
            continue
        if isinstance(kind, type) and issubclass(kind, Value):
            inner = get_type_hints(kind)
            found |= {f"{name}.{key}": inner[key] for key in kind.__struct_fields__}
        else:
            found[name] = kind
    return found


_KEYS = _keys()
_SECTIONS = {key.partition(".")[0] for key in _KEYS if "." in key}
_VARIABLES = {
    PREFIX + key.replace(".", "_").upper(): key for key, kind in _KEYS.items() if kind is not dict
}


def _flatten(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if name in _SECTIONS and isinstance(value, dict):
            for key, inner in value.items():
                yield f"{name}.{key}", inner
        else:
            yield name, value


def _known(key: str, where: str) -> str:
    if key in _KEYS:
        return key
    if key in _SECTIONS:
        inner = ", ".join(sorted(each for each in _KEYS if each.startswith(f"{key}.")))
        raise SettingsError(f"{key!r} in {where} is a section, not a value", cure=f"set {inner}")
    raise _unknown(key, where, list(_KEYS))


def _named_by(variable: str) -> str:
    if variable in _VARIABLES:
        return _VARIABLES[variable]
    raise _unknown(variable, "the environment", list(_VARIABLES))


def _unknown(key: str, where: str, known: list[str]) -> SettingsError:
    close = nearest(key, known, most=1) or [
        each for each in known if each.rpartition(".")[2] == key.rpartition(".")[2]
    ]
    return SettingsError(
        f"{key!r} in {where} is not a setting",
        cure=f"did you mean {close[0]!r}?" if close else "known are: " + ", ".join(sorted(known)),
        nearest=close,
    )


def _converted(key: str, value: Any, where: str, base: Path) -> Any:
    kind = _KEYS[key]
    if kind is Path:
        if not isinstance(value, (str, Path)) or not str(value):
            raise _bad(where, value, "must be a path")
        return (base / Path(value).expanduser()).absolute()
    try:
        converted = msgspec.convert(value, kind, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        raise _bad(where, value, str(error)[:1].lower() + str(error)[1:]) from None
    problem = _problem(key, converted)
    if problem:
        raise _bad(where, value, problem)
    return _relative_to(base, converted) if key == "blobs" else converted


def _problem(key: str, value: Any) -> str:
    """Why a value of the right type can't be used, or an empty text."""
    if key.endswith(".port") and not 0 <= value <= 65535:
        return "a port is between 0 and 65535"
    if key.endswith("_seconds") and not 0 < value < float("inf"):
        return "must be more than 0 seconds"
    if key.endswith(".host") and not value:
        return "must name a host"
    if key == "token" and value and (len(value) < 16 or not value.isascii() or " " in value):
        return "must have 16 characters or more, ASCII, no spaces"
    return ""


def _bad(where: str, value: Any, reason: str) -> SettingsError:
    shown = "its value" if "oken" in where or "OKEN" in where else repr(value)
    return SettingsError(f"{where}: {shown} can't be used: {reason}", cure=f"correct {where}")


def _relative_to(base: Path, blobs: str) -> str:
    """Blobs in a directory that is written relatively, made absolute."""
    return blobs if "://" in blobs or not blobs else str(base / Path(blobs).expanduser())


def _default_home(file: Path | None, environ: Mapping[str, str]) -> Path:
    if file is not None:
        return file.parent / ".roadworthy"
    user = environ.get("HOME")
    return (Path(user) if user else Path.home()) / ".roadworthy"


def _build(values: Mapping[str, Any], file: Path | None) -> Settings:
    top: dict[str, Any] = {"file": file}
    inner: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    for key, value in values.items():
        section, dot, name = key.partition(".")
        if dot:
            inner[section][name] = value
        else:
            top[key] = value
    kinds = get_type_hints(Settings)
    return Settings(**top, **{name: kinds[name](**fields) for name, fields in inner.items()})


def _check_exposure(settings: Settings) -> None:
    """Refuses what would listen beyond loopback without a token."""
    for part, host in (("control", settings.control.host), ("gateway", settings.gateway.host)):
        if not is_loopback(host) and not settings.token:
            raise SettingsError(
                f"{part}.host is {host}, which other machines can reach, and no token is set",
                cure="set `token` (16 characters or more; python -c 'import secrets; "
                "print(secrets.token_urlsafe(32))' makes one), or use 127.0.0.1",
            )
