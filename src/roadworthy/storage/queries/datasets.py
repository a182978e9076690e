"""Datasets, commits, branches and tags; who used which commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.dataset import Branch, Commit, Committed, Dataset, Retention, Tag, Use
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import (
    insert_unless_there,
    insert_unless_there_many,
    put_row,
)
from roadworthy.storage.tables import (
    data_branches,
    data_commits,
    data_moves,
    data_refs,
    data_tags,
    data_uses,
    datasets,
)


def dataset(connection: Connection, name: str) -> Dataset | None:
    """A dataset by name."""
    text = connection.execute(
        sa.select(datasets.c.document).where(datasets.c.name == name)
    ).scalar()
    return None if text is None else decode(text, Dataset, f"dataset {name}")


def all_datasets(connection: Connection) -> list[Dataset]:
    """All datasets, by name."""
    texts = connection.execute(sa.select(datasets.c.document)).scalars()
    return sorted((decode(text, Dataset, "a dataset") for text in texts), key=lambda d: d.name)


def insert_dataset(connection: Connection, new: Dataset) -> bool:
    """Makes a dataset unless there is one of its name; whether it did."""
    return insert_unless_there(
        connection, datasets, name=new.name, created=new.created, document=encode(new)
    )


def save_dataset(connection: Connection, changed: Dataset) -> None:
    """Replaces what is said of a dataset."""
    put_row(
        connection,
        datasets,
        {"name": changed.name},
        created=changed.created,
        document=encode(changed),
    )


# Commits


def commit(connection: Connection, digest: str) -> Committed | None:
    """A commit by its whole digest."""
    text = connection.execute(
        sa.select(data_commits.c.document).where(data_commits.c.digest == digest)
    ).scalar()
    return None if text is None else _committed(digest, text)


def commit_of_write(connection: Connection, write: str) -> Committed | None:
    """The commit that an act of writing made, if it did."""
    row = connection.execute(
        sa.select(data_commits.c.digest, data_commits.c.document).where(
            data_commits.c.write == write
        )
    ).first()
    return None if row is None else _committed(row.digest, row.document)


def commits_that_begin(connection: Connection, dataset: str, prefix: str) -> list[str]:
    """The digests, two at most, of a dataset's commits that begin so."""
    query = sa.select(data_commits.c.digest).where(
        data_commits.c.dataset == dataset,
        data_commits.c.digest >= prefix,
        data_commits.c.digest < prefix + "g",
    )
    return list(connection.execute(query.limit(2)).scalars())


def line(connection: Connection, digest: str, limit: int, skip: int = 0) -> list[Committed]:
    """A commit and those before it along first parents, newest first."""
    start = sa.select(
        data_commits.c.digest, data_commits.c.parent, sa.literal(0).label("back")
    ).where(data_commits.c.digest == digest)
    walk = start.cte("walk", recursive=True)
    before = sa.select(data_commits.c.digest, data_commits.c.parent, walk.c.back + 1).where(
        data_commits.c.digest == walk.c.parent, walk.c.back + 1 < skip + limit
    )
    walk = walk.union_all(before)
    query = (
        sa.select(data_commits.c.digest, data_commits.c.document)
        .join(walk, walk.c.digest == data_commits.c.digest)
        .where(walk.c.back >= skip)
        .order_by(walk.c.back)
    )
    return [_committed(row[0], row[1]) for row in connection.execute(query)]


def commits_of(connection: Connection, dataset: str | None) -> list[Committed]:
    """All commits of a dataset, or of all, oldest first."""
    query = sa.select(data_commits.c.digest, data_commits.c.document).order_by(data_commits.c.at)
    if dataset is not None:
        query = query.where(data_commits.c.dataset == dataset)
    return [_committed(row[0], row[1]) for row in connection.execute(query)]


def commits_newest_first(connection: Connection, dataset: str) -> Iterator[Committed]:
    """A dataset's commits, newest first; no more is read than is asked for."""
    query = (
        sa.select(data_commits.c.digest, data_commits.c.document)
        .where(data_commits.c.dataset == dataset)
        .order_by(data_commits.c.at.desc(), data_commits.c.digest)
    )
    for row in connection.execute(query):
        yield _committed(row[0], row[1])


def insert_commit(connection: Connection, new: Committed) -> bool:
    """Keeps a commit that is not kept yet; whether it did."""
    value = new.commit
    return insert_unless_there(
        connection,
        data_commits,
        digest=new.digest,
        dataset=value.dataset,
        parent=value.parents[0] if value.parents else "",
        at=value.at,
        write=value.write,
        document=encode(value),
    )


def delete_commits(connection: Connection, digests: list[str]) -> None:
    """Forgets commits that nothing names any more."""
    for at in range(0, len(digests), 500):
        some = digests[at : at + 500]
        connection.execute(sa.delete(data_commits).where(data_commits.c.digest.in_(some)))


# Branches and tags


def branch(connection: Connection, dataset: str, name: str) -> Branch | None:
    """A branch by name."""
    row = connection.execute(
        sa.select(data_branches).where(
            data_branches.c.dataset == dataset, data_branches.c.name == name
        )
    ).first()
    return None if row is None else _branch(row)


_HEAD = (
    sa.select(
        data_branches,
        datasets.c.document.label("about"),
        data_commits.c.document.label("newest"),
    )
    .join(datasets, datasets.c.name == data_branches.c.dataset)
    .outerjoin(data_commits, data_commits.c.digest == data_branches.c.commit)
    .where(
        data_branches.c.dataset == sa.bindparam("of"),
        data_branches.c.name == sa.bindparam("called"),
    )
)


def head(
    connection: Connection, name: str, branch_name: str
) -> tuple[Dataset, Branch, Committed | None] | None:
    """A dataset, its branch of this name, and the commit that the branch names."""
    row = connection.execute(_HEAD, {"of": name, "called": branch_name}).first()
    if row is None:
        return None
    found = _branch(row)
    newest = None if row.newest is None else _committed(found.commit, row.newest)
    return decode(row.about, Dataset, f"dataset {name}"), found, newest


def branches(connection: Connection, dataset: str | None = None) -> list[Branch]:
    """The branches of a dataset, or of all, by name."""
    query = sa.select(data_branches)
    if dataset is not None:
        query = query.where(data_branches.c.dataset == dataset)
    found = [_branch(row) for row in connection.execute(query)]
    return sorted(found, key=lambda each: (each.dataset, each.name))


def insert_branch(connection: Connection, new: Branch) -> bool:
    """Makes a branch unless there is one of its name; whether it did."""
    made = insert_unless_there(
        connection,
        data_branches,
        dataset=new.dataset,
        name=new.name,
        commit=new.commit,
        generation=new.generation,
        at=new.at,
        document=encode(new.retention),
    )
    if made:
        keep_move(connection, new)
    return made


_MOVE = sa.update(data_branches).where(
    data_branches.c.dataset == sa.bindparam("of"),
    data_branches.c.name == sa.bindparam("called"),
    data_branches.c.commit == sa.bindparam("expected"),
    data_branches.c.generation == sa.bindparam("before"),
)


def move_branch(connection: Connection, moved: Branch, expected: str) -> bool:
    """Has a branch name another commit if it still names the expected one; whether it did."""
    which = {"of": moved.dataset, "called": moved.name, "expected": expected}
    result = connection.execute(
        _MOVE,
        {
            **which,
            "before": moved.generation - 1,
            "commit": moved.commit,
            "generation": moved.generation,
            "at": moved.at,
        },
    )
    if result.rowcount == 1:
        keep_move(connection, moved)
    return result.rowcount == 1


def set_retention(connection: Connection, of: Branch, retention: Retention) -> None:
    """Replaces the rule by which a branch's old commits are dropped."""
    connection.execute(
        sa.update(data_branches)
        .where(data_branches.c.dataset == of.dataset, data_branches.c.name == of.name)
        .values(document=encode(retention))
    )


def delete_branch(connection: Connection, of: Branch) -> bool:
    """Removes a branch that is still as given; whether it did."""
    result = connection.execute(
        sa.delete(data_branches).where(
            data_branches.c.dataset == of.dataset,
            data_branches.c.name == of.name,
            data_branches.c.generation == of.generation,
        )
    )
    return result.rowcount == 1


def last_generation(connection: Connection, dataset: str, name: str) -> int:
    """How often a branch of this name was moved, also before it was removed."""
    query = sa.select(sa.func.max(data_moves.c.generation)).where(
        data_moves.c.dataset == dataset, data_moves.c.branch == name
    )
    return connection.execute(query).scalar() or 0


def commit_as_of(connection: Connection, dataset: str, name: str, moment: str) -> str | None:
    """What a branch named at a moment (UTC, ISO 8601); None if it was not there yet."""
    query = (
        sa.select(data_moves.c.commit)
        .where(
            data_moves.c.dataset == dataset,
            data_moves.c.branch == name,
            data_moves.c.at <= moment,
        )
        .order_by(data_moves.c.generation.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def keep_move(connection: Connection, moved: Branch) -> None:
    """Keeps a line of a branch's history."""
    put_row(
        connection,
        data_moves,
        {"dataset": moved.dataset, "branch": moved.name, "generation": moved.generation},
        commit=moved.commit,
        at=moved.at,
    )


def tag(connection: Connection, dataset: str, name: str) -> Tag | None:
    """A tag by name."""
    text = connection.execute(
        sa.select(data_tags.c.document).where(
            data_tags.c.dataset == dataset, data_tags.c.name == name
        )
    ).scalar()
    return None if text is None else decode(text, Tag, f"tag {name}")


def tags(connection: Connection, dataset: str | None = None) -> list[Tag]:
    """The tags of a dataset, or of all, by name."""
    query = sa.select(data_tags.c.document)
    if dataset is not None:
        query = query.where(data_tags.c.dataset == dataset)
    found = [decode(text, Tag, "a tag") for text in connection.execute(query).scalars()]
    return sorted(found, key=lambda each: (each.dataset, each.name))


def insert_tag(connection: Connection, new: Tag) -> bool:
    """Makes a tag unless there is one of its name; whether it did."""
    return insert_unless_there(
        connection,
        data_tags,
        dataset=new.dataset,
        name=new.name,
        commit=new.commit,
        document=encode(new),
    )


def delete_tag(connection: Connection, dataset: str, name: str) -> bool:
    """Removes a tag; whether there was one."""
    result = connection.execute(
        sa.delete(data_tags).where(data_tags.c.dataset == dataset, data_tags.c.name == name)
    )
    return result.rowcount == 1


def refs_version(connection: Connection) -> int:
    """Grows with every change of what names commits, except commits themselves."""
    return connection.execute(sa.select(data_refs.c.version)).scalar() or 0


def refs_changed(connection: Connection) -> None:
    """Says that a branch, tag or use was made or moved otherwise than by a commit."""
    if insert_unless_there(connection, data_refs, id=1, version=1):
        return
    connection.execute(sa.update(data_refs).values(version=data_refs.c.version + 1))


# Provenance


def save_uses(connection: Connection, uses: Iterable[tuple[str, str, str, str]], at: str) -> None:
    """Keeps which commits were used: commit, kind and name of the user, detail."""
    rows = [
        {"commit": commit, "kind": kind, "name": name, "detail": detail, "at": at}
        for commit, kind, name, detail in uses
    ]
    if rows:
        insert_unless_there_many(connection, data_uses, rows)


def uses_of(connection: Connection, commits: list[str]) -> list[Use]:
    """What used these commits, in the order of time."""
    found: list[Use] = []
    for at in range(0, len(commits), 500):
        query = sa.select(data_uses).where(data_uses.c.commit.in_(commits[at : at + 500]))
        rows = connection.execute(query.order_by(data_uses.c.at, data_uses.c.name))
        found += [Use(**row._mapping) for row in rows]
    return found


def used_by(connection: Connection, kind: str, name: str) -> list[tuple[str, str]]:
    """The commits that something used: digest, detail."""
    query = sa.select(data_uses.c.commit, data_uses.c.detail).where(
        data_uses.c.kind == kind, data_uses.c.name == name
    )
    return [(row.commit, row.detail) for row in connection.execute(query)]


def all_used(connection: Connection, kinds: Iterable[str]) -> set[str]:
    """The commits that something of these kinds used."""
    query = sa.select(data_uses.c.commit).where(data_uses.c.kind.in_(list(kinds))).distinct()
    return set(connection.execute(query).scalars())


def _committed(digest: str, text: str) -> Committed:
    return Committed(digest=digest, commit=decode(text, Commit, f"commit b3:{digest[:7]}"))


def _branch(row: sa.Row[tuple[str, ...]]) -> Branch:
    name = row._mapping
    return Branch(
        dataset=name["dataset"],
        name=name["name"],
        commit=name["commit"],
        generation=name["generation"],
        at=name["at"],
        retention=decode(name["document"], Retention, "a retention rule"),
    )
