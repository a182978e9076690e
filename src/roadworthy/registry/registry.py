"""The registry: runs, models, releases and certificates, recorded and found."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from roadworthy.core.capture import CaptureReport
from roadworthy.core.card import ModelCard
from roadworthy.core.certificate import Certificate
from roadworthy.core.ids import sortable_id
from roadworthy.core.names import check_model_name, nearest, parse_release
from roadworthy.core.release import FlowFile, Release
from roadworthy.core.run import ProgramFile, Run
from roadworthy.core.signature import breaking_changes
from roadworthy.core.values import Document
from roadworthy.errors import (
    Conflict,
    NotFound,
    PolicyViolation,
    SignatureConflict,
    StorageError,
    UsageError,
)
from roadworthy.registry.drafts import ReleaseDraft, check_path, manifest_of
from roadworthy.registry.materialise import materialise
from roadworthy.storage.blobs import Blobs
from roadworthy.storage.digests import check_digest, digest_of, short
from roadworthy.storage.metadata import Database
from roadworthy.storage.queries import cards as asked_cards
from roadworthy.storage.queries import datasets as asked_data
from roadworthy.storage.queries import releases as asked
from roadworthy.storage.queries import runs as asked_runs


class ModelSummary(Document, frozen=True):
    """A model in a list: when it was made, its newest release, how many there are."""

    name: str
    created: str
    newest: Release
    releases: int


class Registry:
    """Records runs, releases and certificates, and finds them again.

    ``clock`` gives the time now, with its zone.
    """

    def __init__(self, database: Database, blobs: Blobs, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock

    # Runs

    def new_id(self) -> str:
        """An id for a run, an operation …, that sorts by time."""
        return sortable_id(int(self._clock().timestamp() * 1000), secrets.token_bytes(10))

    def record_run(self, run: Run, report: CaptureReport | None, files: Mapping[str, bytes]) -> Run:
        """Keeps a run, what capture found and its program's files; the run as it is kept.

        The digests of ``run.files`` are computed here. Recording the same run again does
        nothing. Raises Conflict where another run has this id, StorageError, Unavailable.
        """
        kept = [
            ProgramFile(path=check_path(path), digest=self._blobs.put(data), bytes=len(data))
            for path, data in sorted(files.items())
        ]
        run = msgspec.structs.replace(run, files=kept)

        def work(connection: Connection) -> Run:
            known = asked_runs.run(connection, run.id)
            if known is None:
                asked_runs.insert_run(connection, run, report)
                _save_uses(connection, run, "run", run.id)
            elif known != run:
                raise Conflict(f"another run is recorded as {run.id}", cure="use a new id")
            return run

        return self._database.write(work)

    def run(self, identity: str) -> Run:
        """A run by its id. Raises NotFound."""
        with self._database.reading() as connection:
            return _found(asked_runs.run(connection, identity), identity)

    def run_report(self, identity: str) -> CaptureReport | None:
        """What capture found in a run; None where the run failed before that.

        Raises NotFound.
        """
        with self._database.reading() as connection:
            _found(asked_runs.run(connection, identity), identity)
            return asked_runs.run_report(connection, identity)

    def run_files(self, identity: str) -> dict[str, bytes]:
        """The files of a run's program: path to content. Raises NotFound, Damaged."""
        with self._database.reading() as connection:
            _found(asked_runs.run(connection, identity), identity)
            digests = asked_runs.run_file_digests(connection, identity)
        return {path: self._blobs.get(digest) for path, digest in digests.items()}

    def runs(
        self, model: str | None = None, limit: int = 50, before: str | None = None
    ) -> list[Run]:
        """Runs, newest first; of a model: those that gave its releases.

        ``before`` is the id of the last run of the page before.
        """
        with self._database.reading() as connection:
            return asked_runs.runs_before(connection, model, limit, before)

    # Releases

    def record_release(self, draft: ReleaseDraft, *, allow_breaking: bool = False) -> Release:
        """The release of a draft: a new one, or the model's release of the same content.

        Blobs first, then one transaction: after a crash at any moment the release is there,
        whole, or not at all, and numbers have no gaps. Raises SignatureConflict (unless
        ``allow_breaking``), NotFound for the run, InvalidName, UsageError, StorageError,
        Unavailable.
        """
        check_model_name(draft.model)
        if not draft.files:
            raise UsageError(f"a release of {draft.model} needs files", cure="capture a program")
        for path in draft.files:
            check_path(path)
        if not allow_breaking:  # before anything is uploaded; again when it counts
            with self._database.reading() as connection:
                _check_callers(asked.release(connection, draft.model, None), draft)
        files = [self._keep(path, content) for path, content in sorted(draft.files.items())]
        digest = self._blobs.put(manifest_of(files, draft.signature, draft.lock))
        made = _text(self._clock())

        def work(connection: Connection) -> Release:
            last = asked.lock_model(connection, draft.model, made)
            if not allow_breaking:
                _check_callers(asked.release(connection, draft.model, None), draft)
            known = asked.release_of_content(connection, draft.model, digest)
            if known is not None:
                return known
            run = _found(asked_runs.run(connection, draft.run), draft.run)
            new = Release(
                model=draft.model,
                number=last + 1,
                digest=digest,
                files=files,
                signature=draft.signature,
                lock=draft.lock,
                run=draft.run,
                made=made,
                caller=draft.caller,
                notes=draft.notes,
            )
            asked.insert_release(connection, new)
            _save_uses(connection, run, "release", new.name)
            return new

        return self._database.write(work)

    def release(self, name: str) -> Release:
        """A release by name: ``flight-delay@12``, or ``flight-delay`` for the newest.

        Raises NotFound with the nearest names, InvalidName.
        """
        wanted = parse_release(name)
        with self._database.reading() as connection:
            release = asked.release(connection, wanted.model, wanted.number)
            return release or _raise_unknown(connection, wanted.model, wanted.number)

    def releases(self, model: str, limit: int = 50, before: int | None = None) -> list[Release]:
        """A model's releases, newest first. Raises NotFound with the nearest names.

        ``before`` is the number of the last release of the page before.
        """
        check_model_name(model)
        with self._database.reading() as connection:
            if asked.release(connection, model, None) is None:
                _raise_unknown(connection, model, None)
            return asked.releases_before(connection, model, limit, before)

    def releases_of_run(self, run: str) -> list[Release]:
        """The releases that came from a run."""
        with self._database.reading() as connection:
            return asked.releases_of_run(connection, run)

    def releases_of_digest(self, digest: str) -> list[Release]:
        """The releases, of any model, that have a content; the first made first."""
        with self._database.reading() as connection:
            return asked.releases_of_digest(connection, digest)

    def models(self) -> list[ModelSummary]:
        """All models, by name."""
        with self._database.reading() as connection:
            newest = asked.newest_releases(connection)
        return [
            ModelSummary(name=each.model, created=created, newest=each, releases=each.number)
            for each, created in newest
        ]

    def model_index(self) -> list[tuple[str, int, str]]:
        """Each model's name, the number of its newest release, and when that was made."""
        with self._database.reading() as connection:
            return asked.model_index(connection)

    def newest(self, models: Sequence[str]) -> dict[str, Release]:
        """The newest release of each of these models, by model."""
        with self._database.reading() as connection:
            return asked.newest_of(connection, models)

    def set_notes(self, name: str, notes: str, *, replacing: str | None = None) -> Release:
        """Replaces a release's notes. Raises NotFound.

        ``replacing``, where given, are the notes as the caller saw them: raises Conflict where
        they are others by now.
        """

        def change(connection: Connection, model: str, number: int) -> bool:
            current = asked.release(connection, model, number)
            kept = current.notes if current else ""
            if replacing is not None and kept not in (replacing, notes):
                raise Conflict(
                    f"the notes of {name} were changed meanwhile",
                    cure="look at them, then write them again",
                )
            return asked.set_release_notes(connection, model, number, notes)

        return self._change(name, change)

    def quarantine(self, name: str, reason: str) -> Release:
        """Keeps a release from being deployed again, and why. Raises NotFound, UsageError."""
        if not reason.strip():
            raise UsageError(f"{name} needs a reason to be quarantined", cure="give --reason")
        return self._change(name, lambda c, m, n: asked.set_quarantine(c, m, n, reason.strip()))

    def lift(self, name: str) -> Release:
        """Lets a release out of quarantine. Raises NotFound."""
        return self._change(name, lambda c, m, n: asked.set_quarantine(c, m, n, ""))

    # Cards

    def card(self, model: str) -> ModelCard:
        """What is said of a model; an empty card where nothing is. Raises NotFound."""
        with self._database.reading() as connection:
            if asked.release(connection, check_model_name(model), None) is None:
                _raise_unknown(connection, model, None)
            return asked_cards.model_card(connection, model) or ModelCard(model=model)

    def write_card(self, card: ModelCard) -> ModelCard:
        """Replaces a card that was read before; the card as it is kept.

        Raises Conflict where somebody else wrote it meanwhile, NotFound.
        """
        kept = msgspec.structs.replace(
            card, generation=card.generation + 1, changed=_text(self._clock())
        )

        def work(connection: Connection) -> ModelCard:
            if asked.release(connection, check_model_name(card.model), None) is None:
                _raise_unknown(connection, card.model, None)
            asked_cards.save_model_card(connection, kept)
            return kept

        return self._database.write(work)

    # Certificates

    def record_certificate(self, digest: str, certificate: Certificate) -> None:
        """Keeps a certificate of a release's content. Doing it again does nothing.

        Raises NotFound where no release has this content.
        """
        check_digest(digest)
        moment = datetime.fromisoformat(certificate.made)
        name = bytes.fromhex(digest_of(digest.encode() + msgspec.json.encode(certificate)))
        identity = sortable_id(int(moment.timestamp() * 1000), name[:10])

        def work(connection: Connection) -> None:
            _known_content(connection, digest)
            asked.insert_certificate(connection, identity, digest, certificate)

        self._database.write(work)

    def certificates(self, digest: str) -> list[Certificate]:
        """The certificates of a content, newest first."""
        with self._database.reading() as connection:
            return asked.certificates_of(connection, digest)

    def latest_certificate(self, digest: str) -> Certificate | None:
        """The newest certificate of a content, if there is one."""
        with self._database.reading() as connection:
            return next(iter(asked.certificates_of(connection, digest, limit=1)), None)

    # Contents

    def materialise(self, digest: str, into: Path) -> Path:
        """The flow directory ``into/<digest>``, written from blobs or checked and mended.

        Raises NotFound, Damaged, StorageError, Unavailable.
        """
        with self._database.reading() as connection:
            release = _known_content(connection, digest)
        return materialise(self._blobs, release.files, into / digest)

    def file(self, release: Release, path: str) -> bytes:
        """One file of a release, checked. Raises NotFound with the nearest paths, Damaged."""
        for file in release.files:
            if file.path == path:
                return self._blobs.get(file.digest)
        raise NotFound(
            f"{release.name} has no file {path!r}",
            cure=_did_you_mean(path, [file.path for file in release.files]),
        )

    def check(self, release: Release) -> None:
        """Reads everything that determines a release's answers and compares digests.

        Raises Damaged or StorageError, naming the first content that is not as recorded.
        """
        manifest = manifest_of(release.files, release.signature, release.lock)
        if self._blobs.get(release.digest) != manifest:
            raise StorageError(
                f"the record of {release.name} is not what {short(release.digest)} says",
                cure="restore the metadata from a backup: the newest is in backups/",
            )
        for file in release.files:
            self._blobs.get(file.digest)

    def _keep(self, path: str, content: bytes | Path | FlowFile) -> FlowFile:
        if isinstance(content, FlowFile):
            size = self._blobs.size(content.digest)
            if size is None:
                raise StorageError(
                    f"{path} was not uploaded: there is no blob {short(content.digest)}",
                    cure="upload it, then try again",
                    blob=content.digest,
                )
            return FlowFile(path=path, digest=content.digest, bytes=size)
        if isinstance(content, bytes):
            return FlowFile(path=path, digest=self._blobs.put(content), bytes=len(content))
        digest, size = self._blobs.put_file(content)
        return FlowFile(path=path, digest=digest, bytes=size)

    def _change(self, name: str, change: Callable[[Connection, str, int], bool]) -> Release:
        wanted = parse_release(name)
        if wanted.number is None:
            raise UsageError(f"{name!r} names a model: a release is needed", cure=f"write {name}@1")
        number = wanted.number

        def work(connection: Connection) -> Release:
            change(connection, wanted.model, number)
            release = asked.release(connection, wanted.model, number)
            return release or _raise_unknown(connection, wanted.model, number)

        return self._database.write(work)


def check_quarantine(connection: Connection, model: str, number: int) -> None:
    """Raises PolicyViolation where the release, or its content under another name, may not be
    deployed. To be asked in the transaction that has it deployed.
    """
    release = asked.release(connection, model, number)
    same = asked.releases_of_digest(connection, release.digest) if release else []
    for each in same:
        if each.quarantined:
            alias = "" if each.number == number and each.model == model else f", as {each.name},"
            raise PolicyViolation(
                f"{model}@{number}{alias} is quarantined: {each.quarantined}",
                cure=f"deploy another release, or: roadworthy quarantine {each.name} --lift",
            )


def _save_uses(connection: Connection, run: Run, kind: str, name: str) -> None:
    """Keeps which commits of datasets a run, or a release that came from it, rests on."""
    if run.datasets:
        rows = [(each.commit, kind, name, each.asked) for each in run.datasets]
        asked_data.save_uses(connection, rows, run.started)
        asked_data.refs_changed(connection)


def _check_callers(current: Release | None, draft: ReleaseDraft) -> None:
    """Raises SignatureConflict where the draft would break callers of the current release."""
    breaks = breaking_changes(current.signature, draft.signature) if current else []
    if current and breaks:
        raise SignatureConflict(
            f"callers of {current.name} would break: "
            + "; ".join(f"{each.field} {each.change}" for each in breaks),
            cure="use another --name, keep to the signature, or say --allow-breaking",
            breaks=[msgspec.to_builtins(each) for each in breaks],
            release=current.name,
        )


def _known_content(connection: Connection, digest: str) -> Release:
    found = asked.releases_of_digest(connection, check_digest(digest))
    if not found:
        raise NotFound(
            f"no release has the content {short(digest)}",
            cure="roadworthy releases MODEL lists those there are",
        )
    return found[0]


def _found(run: Run | None, identity: str) -> Run:
    if run is None:
        raise NotFound(f"there is no run {identity}", cure="roadworthy runs lists them")
    return run


def _raise_unknown(connection: Connection, model: str, number: int | None) -> Release:
    newest = asked.release(connection, model, None)
    if newest is None:
        names = asked.model_names(connection)
        raise NotFound(f"there is no model {model}", cure=_did_you_mean(model, names), model=model)
    raise NotFound(
        f"there is no release {model}@{number}: the newest is {newest.name}",
        cure=f"roadworthy releases {model} lists them",
        model=model,
    )


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = nearest(word, known)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if known:
        return f"there are: {', '.join(known[:10])}"
    return "there are none yet: roadworthy deploy makes the first"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
