"""Settings: read once from ``roadworthy.toml``, the environment and flags; then frozen.

A flag beats the environment, the environment beats the file. Nothing else in Roadworthy
reads an environment variable that begins with ``ROADWORTHY_``.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin, get_type_hints

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
    """Where and how the gateway answers requests for predictions.

    ``processes`` share the port; one is best where workers are the bottleneck. ``models`` binds
    further ports to models: ``/invocations`` and ``/ping`` mean that model there. A request has
    ``body_bytes`` and ``rows`` at most and is answered within ``deadline_seconds``;
    ``queue_requests`` may wait for a release, and ``connections`` be open. A connection without a
    request is kept for ``keep_alive_seconds``; a gateway that ends goes on answering on open ones
    for ``drain_seconds``. Spans go to ``traces``, an address that takes OTLP over HTTP; of the
    traces that begin here, ``trace_share`` are sampled.
    """

    host: str = "127.0.0.1"
    port: int = 8401
    processes: int = 1
    models: dict[str, int] = msgspec.field(default_factory=dict)
    body_bytes: int = 16 * 1024 * 1024
    rows: int = 10_000
    deadline_seconds: float = 30.0
    queue_requests: int = 1024
    connections: int = 20_000
    keep_alive_seconds: float = 75.0
    drain_seconds: float = 0.5
    traces: str = ""
    trace_share: float = 0.0


class WorkerSettings(Value, frozen=True):
    """Worker processes. ``threads`` is how many a numeric library may use in each;
    ``settle_seconds`` how long nothing is deployed before a release that started in another
    environment moves to its own.
    """

    threads: int = 1
    settle_seconds: float = 20.0


class LogSettings(Value, frozen=True):
    """The prediction log. ``flush_seconds`` is the longest that a row waits in memory.

    ``sample`` is the share of plain answers that is kept (what was refused, rejected or failed is
    always kept), ``samples`` that of a model by name. Columns in ``redact`` are left out, those in
    ``pseudonymise`` replaced by keyed digests; ``column`` means it in every model,
    ``model:column`` in one. Segments go after ``retention_days``, and the oldest ones beyond
    ``retention_bytes``; 0 keeps them.
    """

    flush_seconds: float = 5.0
    sample: float = 1.0
    samples: dict[str, float] = msgspec.field(default_factory=dict)
    redact: list[str] = msgspec.field(default_factory=list)
    pseudonymise: list[str] = msgspec.field(default_factory=list)
    retention_days: float = 90.0
    retention_bytes: int = 0


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
    workers: WorkerSettings = WorkerSettings()
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
    def data_url(self) -> str:
        """The URL, or the directory, of the packs and commits of datasets: inside the blobs'."""
        return f"{self.blobs_url.rstrip('/')}/data"

    @property
    def releases(self) -> Path:
        """Flow directories written from blobs, one a release digest."""
        return self.home / "releases"

    @property
    def environments(self) -> Path:
        """Environments made from locks, one a lock digest."""
        return self.home / "envs"

    @property
    def wheels(self) -> Path:
        """Wheels that came with releases, one folder a lock digest."""
        return self.home / "wheels"

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
    def traffic(self) -> Path:
        """What releases were asked over the last week, for the pages' plots."""
        return self.home / "traffic.db"

    @property
    def pseudonym_key(self) -> Path:
        """The key under which the prediction log's pseudonyms are made."""
        return self.home / "pseudonym-key"

    @property
    def run(self) -> Path:
        """What lives as long as the processes: addresses and locks."""
        return self.home / "run"

    @property
    def sources(self) -> Path:
        """What sources deliver while it is fetched; emptied by the next poll."""
        return self.home / "sources"

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


_COUNTS = {
    "gateway.processes": 64,
    "gateway.body_bytes": 1 << 30,
    "gateway.rows": 10_000_000,
    "gateway.queue_requests": 1_000_000,
    "gateway.connections": 1_000_000,
}


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
_VARIABLES = {PREFIX + key.replace(".", "_").upper(): key for key in _KEYS}


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
        if isinstance(value, str) and get_origin(kind) in (dict, list):
            value = _from_json(value, where)
        converted = msgspec.convert(value, kind, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        raise _bad(where, value, str(error)[:1].lower() + str(error)[1:]) from None
    problem = _problem(key, converted)
    if problem:
        raise _bad(where, value, problem)
    return _relative_to(base, converted) if key == "blobs" else converted


def _from_json(text: str, where: str) -> Any:
    """The object in a variable; its text, which may hold a secret, is not repeated."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"{where} is not JSON: {error}", cure='write an object: {"region": "eu-central-1"}'
        ) from None


def _problem(key: str, value: Any) -> str:
    """Why a value of the right type can't be used, or an empty text."""
    if key.endswith(".port") and not 0 <= value <= 65535:
        return "a port is between 0 and 65535"
    if key == "gateway.models" and not all(0 < port <= 65535 for port in value.values()):
        return "a port is between 1 and 65535"
    if key == "gateway.models" and len(set(value.values())) != len(value):
        return "two models can't have the same port"
    if key.endswith("_seconds") and not 0 < value < float("inf"):
        return "must be more than 0 seconds"
    shares = value.values() if key == "log.samples" else [value]
    if key in ("log.sample", "log.samples", "gateway.trace_share"):
        return "" if all(0 <= share <= 1 for share in shares) else "a share is between 0 and 1"
    if key in _COUNTS and not 1 <= value <= _COUNTS[key]:
        return f"must be between 1 and {_COUNTS[key]}"
    if key.startswith("log.retention_") and not 0 <= value < float("inf"):
        return "must be 0 or more"
    if key.endswith(".host") and not value:
        return "must name a host"
    if key == "workers.threads" and value < 1:
        return "must be 1 or more"
    if key == "token" and value and (len(value) < 16 or not value.isascii() or " " in value):
        return "must have 16 characters or more, ASCII, no spaces"
    return ""


def _bad(where: str, value: Any, reason: str) -> SettingsError:
    secret = any(word in where.lower() for word in ("token", "blob_options"))
    shown = "its value" if secret else repr(value)
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
