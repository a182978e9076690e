"""The contract of the metadata database as tests: give the fixture ``database``."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from roadworthy.core.deployment import AgentStatus, Deployment, RoutingTable, StageChange
from roadworthy.core.operation import Operation
from roadworthy.errors import Conflict, NewerFormat, NotFound
from roadworthy.storage.metadata import Database
from roadworthy.storage.migrating import migrate, revision, revisions
from roadworthy.storage.queries import agents, deployments, operations
from roadworthy.storage.tables import metadata, models

_AT = "2026-03-01T12:00:00+00:00"


def a_deployment(generation: int, release: int, caller: str = "ada") -> Deployment:
    """A deployment of flight-delay at production."""
    return Deployment(
        model="flight-delay",
        stage="production",
        generation=generation,
        release=release,
        changed=_AT,
        caller=caller,
    )


def a_change(of: Deployment) -> StageChange:
    """The line of history for a deployment."""
    return StageChange(
        model=of.model,
        stage=of.stage,
        generation=of.generation,
        release=of.release,
        replaced=None,
        action="promote",
        at=of.changed,
        caller=of.caller,
        reason="a test",
    )


def with_model(database: Database, name: str = "flight-delay") -> None:
    """Makes the row that deployments refer to."""
    with database.writing() as connection:
        connection.execute(sa.insert(models).values(name=name, created=_AT, last_number=0))


def an_operation(identity: str, **changes: object) -> Operation:
    """An operation that has just begun."""
    fresh = Operation(
        id=identity,
        kind="deploy",
        model="flight-delay",
        stage="production",
        generation=0,
        caller="ada",
        started=_AT,
        since=0.0,
    )
    return msgspec.structs.replace(fresh, **changes)


class MetadataContract:
    """What the metadata does on every database. ``database`` is a fixture with an empty one."""

    def test_migrations_make_exactly_the_tables(self, database: Database) -> None:
        with database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            assert revision(connection) == revisions()[-1]

    def test_a_newer_database_is_refused(self, database: Database) -> None:
        with database.writing() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(NewerFormat, match="9999") as raised:
            migrate(database)
        assert "install" in raised.value.cure
        with database.reading() as connection:
            assert revision(connection) == "9999"

    def test_a_failed_block_changes_nothing(self, database: Database) -> None:
        def work(connection: Connection) -> None:
            deployments.next_table_version(connection)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            database.write(work)
        with database.reading() as connection:
            assert deployments.table_version(connection) == 0

    def test_foreign_keys_hold(self, database: Database) -> None:
        with (
            pytest.raises(Exception, match=r"(?i)foreign key") as raised,
            database.writing() as connection,
        ):
            deployments.save_deployment(connection, a_deployment(1, 1), None)
        assert raised.value.__class__.__name__ == "StorageError"

    def test_table_versions_have_no_gaps_under_concurrency(self, database: Database) -> None:
        with database.writing() as connection:
            deployments.next_table_version(connection)
        found: list[int] = []

        def count() -> None:
            for _ in range(10):
                found.append(database.write(deployments.next_table_version))

        _together([count] * 4)
        assert sorted(found) == list(range(2, 42))

    def test_compare_and_set(self, database: Database) -> None:
        with_model(database)
        first = a_deployment(1, 1)
        with database.writing() as connection:
            deployments.save_deployment(connection, first, None, a_change(first))
        second = a_deployment(2, 2, "bob")
        with database.writing() as connection:
            deployments.save_deployment(connection, second, 1, a_change(second))
        with (
            pytest.raises(Conflict, match="bob did: promote of flight-delay@2") as raised,
            database.writing() as connection,
        ):
            deployments.save_deployment(connection, a_deployment(2, 3, "eve"), 1)
        assert raised.value.details["generation"] == 2
        with pytest.raises(Conflict, match="bob"), database.writing() as connection:
            deployments.save_deployment(connection, a_deployment(1, 3, "eve"), None)
        with database.reading() as connection:
            assert deployments.deployment(connection, "flight-delay", "production") == second
            assert deployments.deployment(connection, "flight-delay", "staging") is None
            assert deployments.all_deployments(connection) == [second]
            assert deployments.deployments_of(connection, "flight-delay") == [second]
            changes = deployments.stage_changes_of(connection, "flight-delay", "production")
        assert [each.generation for each in changes] == [2, 1]

    def test_saving_the_same_deployment_again_does_nothing(self, database: Database) -> None:
        with_model(database)
        first = a_deployment(1, 1)
        for _ in range(2):
            with database.writing() as connection:
                deployments.save_deployment(connection, first, None, a_change(first))
        with database.reading() as connection:
            assert len(deployments.stage_changes_of(connection, "flight-delay")) == 1

    def test_two_operators_at_once_one_wins(self, database: Database) -> None:
        with_model(database)
        outcomes: list[str] = []

        def deploy(caller: str) -> None:
            new = a_deployment(1, 1, caller)
            try:
                with database.writing() as connection:
                    deployments.save_deployment(connection, new, None, a_change(new))
                outcomes.append("won")
            except Conflict as conflict:
                outcomes.append(str(conflict.details["caller"]))

        _together([functools.partial(deploy, f"op{number}") for number in range(6)])
        with database.reading() as connection:
            kept = deployments.deployment(connection, "flight-delay", "production")
        assert kept is not None
        assert sorted(outcomes) == sorted([kept.caller] * 5 + ["won"])

    def test_the_newest_routing_table_is_kept(self, database: Database) -> None:
        with database.writing() as connection:
            assert deployments.routing_table(connection) is None
            table = RoutingTable(version=3, workers=[], routes=[])
            deployments.save_routing_table(connection, table)
        with pytest.raises(Conflict, match="overtaken"), database.writing() as connection:
            deployments.save_routing_table(connection, msgspec.structs.replace(table, version=2))
        with database.writing() as connection:
            assert deployments.routing_table(connection) == table
            assert deployments.next_table_version(connection) == 4

    def test_agents_last_words(self, database: Database) -> None:
        with database.writing() as connection:
            assert agents.latest_agent_status(connection) is None
            for at, name in ((1, "a"), (2, "b"), (3, "a")):
                status = AgentStatus(agent=name, pid=at, at=_AT, applied=at, workers=[])
                agents.save_agent_status(connection, status, f"2026-03-01T12:00:0{at}")
        with database.reading() as connection:
            newest = agents.latest_agent_status(connection)
            assert newest is not None
            assert (newest[0].agent, newest[0].pid) == ("a", 3)
            of_b = agents.latest_agent_status(connection, "b")
            assert of_b is not None
            assert of_b[1] == "2026-03-01T12:00:02"
            assert [each.agent for each, _ in agents.agent_statuses(connection)] == ["a", "b"]

    def test_operations(self, database: Database) -> None:
        first, second = an_operation("1"), an_operation("2", model="other")
        with database.writing() as connection:
            operations.save_operation(connection, first)
            operations.save_operation(connection, second)
            operations.save_operation(connection, an_operation("1", state="done"))
        with database.reading() as connection:
            assert operations.operation(connection, "1").state == "done"
            assert operations.running_operations(connection) == [second]
            assert [each.id for each in operations.operations_of(connection)] == ["2", "1"]
            assert len(operations.operations_of(connection, "flight-delay")) == 1
            with pytest.raises(NotFound, match="operation 3"):
                operations.operation(connection, "3")


def _together(works: Sequence[Callable[[], None]]) -> None:
    """Runs all at once and raises what any of them raised."""
    problems: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as problem:  # noqa: BLE001 - handed on below
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
