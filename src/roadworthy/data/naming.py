"""Finding the commit that a name means."""

from __future__ import annotations

from datetime import UTC

from sqlalchemy import Connection

from roadworthy.core.dataset import Branch, Committed, Dataset
from roadworthy.core.dataset_names import CommitName, is_digest_prefix
from roadworthy.core.names import nearest
from roadworthy.errors import InvalidName, NotFound
from roadworthy.storage.queries import datasets as asked


def find_dataset(connection: Connection, name: str) -> Dataset:
    """A dataset. Raises NotFound with the nearest names."""
    found = asked.dataset(connection, name)
    if found is None:
        close = nearest(name, [each.name for each in asked.all_datasets(connection)])
        cure = f"did you mean {close[0]}?" if close else f"roadworthy data init {name}"
        raise NotFound(f"there is no dataset {name}", cure=cure, dataset=name)
    return found


def find_branch(connection: Connection, dataset: str, name: str) -> Branch:
    """A branch. Raises NotFound with the nearest names."""
    found = asked.branch(connection, dataset, name)
    if found is None:
        find_dataset(connection, dataset)
        close = nearest(name, [each.name for each in asked.branches(connection, dataset)])
        cure = f"did you mean {close[0]}?" if close else f"roadworthy data branch {dataset} {name}"
        raise NotFound(f"{dataset} has no branch {name}", cure=cure)
    return found


def find_commit(connection: Connection, wanted: CommitName) -> Committed:
    """The commit that is meant. Raises NotFound, InvalidName where it could be several."""
    digest = _digest(connection, wanted)
    if wanted.back:
        before = asked.line(connection, digest, 1, wanted.back)
        if not before:
            raise NotFound(f"{wanted} is before the first commit", cure=_log(wanted))
        return before[0]
    found = asked.commit(connection, digest)
    if found is None:
        raise NotFound(f"{wanted.dataset}@{digest[:12]} is not kept any more", cure=_log(wanted))
    return found


def find_kept(connection: Connection, digest: str) -> Committed:
    """The commit of a digest. Raises NotFound where it is not kept any more."""
    found = asked.commit(connection, digest)
    if found is None:
        raise NotFound(f"commit b3:{digest[:12]} is not kept any more", cure="roadworthy data log")
    return found


def _digest(connection: Connection, wanted: CommitName) -> str:
    find_dataset(connection, wanted.dataset)
    branch = asked.branch(connection, wanted.dataset, wanted.ref)
    if wanted.moment is not None:
        moment = wanted.moment.astimezone(UTC).isoformat(timespec="microseconds")
        digest = asked.commit_as_of(connection, wanted.dataset, wanted.ref, moment)
        if not digest:
            raise NotFound(f"{wanted} is before the first commit", cure=_log(wanted))
        return digest
    if branch is not None:
        if not branch.commit:
            raise NotFound(
                f"{wanted.dataset}@{wanted.ref} has no commit yet",
                cure=f"roadworthy data commit {wanted.dataset}@{wanted.ref} FILE",
            )
        return branch.commit
    tag = asked.tag(connection, wanted.dataset, wanted.ref)
    if tag is not None:
        return tag.commit
    if is_digest_prefix(wanted.ref):
        digests = asked.commits_that_begin(connection, wanted.dataset, wanted.ref)
        if len(digests) > 1:
            raise InvalidName(f"{wanted}: several commits begin so", cure="write more digits")
        if digests:
            return digests[0]
    known = [each.name for each in asked.branches(connection, wanted.dataset)]
    known += [each.name for each in asked.tags(connection, wanted.dataset)]
    close = nearest(wanted.ref, known)
    raise NotFound(
        f"{wanted.dataset} has no branch, tag or commit {wanted.ref!r}",
        cure=f"did you mean {wanted.dataset}@{close[0]}?" if close else _log(wanted),
    )


def _log(wanted: CommitName) -> str:
    return f"roadworthy data log {wanted.dataset} lists its commits"
