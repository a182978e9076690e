"""``roadworthy batch`` and an Arrow stream beside the same flow called in process: rows a second.

    python benches/batch/bench.py [FLOW [ROWS]]

FLOW is an emitted flow's directory with its sample, as ``roadworthy capture --to FLOW`` writes it,
captured with this interpreter; without one the flight example is captured first. All answer the
rows of one Parquet file; attempts alternate, the best of each counts.

*In process* loads the flow in a fresh process, reads the file and has the flow answer chunk by
chunk, as a program would by hand; nothing is checked, nothing is written. A batch does the same on
worker processes, and checks each row, writes the answers, syncs them, and can be gone on with.
Both count from the start of their process, with one thread for numeric libraries. The stream is
compared without the start, as its worker runs already.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
from pyarrow import parquet

from roadworthy.core.deployment import WorkerSpec
from roadworthy.core.signature import Signature
from roadworthy.pipelines.batch import Batch
from roadworthy.pipelines.workers import Runnable, default_workers
from roadworthy.serving.processes import base_environment
from roadworthy.testing.hosts import Host

ATTEMPTS = 2
CHUNK = 20_000
ROWS = 2_000_000
ENOUGH = 0.9
ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SOURCE = ROOT / "src"
EXAMPLE = ROOT / "examples" / "flight_delay" / "train.py"
ARROW = "application/vnd.apache.arrow.stream"


def main(arguments: list[str]) -> int:
    """Measure, print the ratios; 1 where one is below what is wanted."""
    if arguments:
        return measure(Path(arguments[0]).resolve(), int([*arguments, ROWS][1]))
    with tempfile.TemporaryDirectory(prefix="rw-bench-") as folder:
        flow = Path(folder) / "flow"
        command = [sys.executable, "-m", "roadworthy", "capture", str(EXAMPLE), "--to", str(flow)]
        command += ["--input", "flights", "--output", "scores", "--name", "flight-delay"]
        subprocess.run(command, check=True)
        return measure(flow, ROWS)


def measure(flow: Path, count: int) -> int:
    """Measure one flow with so many rows."""
    with tempfile.TemporaryDirectory(prefix="rw-bench-") as temporary, Host() as host:
        folder = Path(temporary)
        source = folder / "rows.parquet"
        write_rows(flow, source, count)
        several = default_workers()
        names = ["in process", "batch, 1 worker", f"batch, {several} workers", "Arrow stream"]
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        inner = []
        serve(host, flow)
        for attempt in range(ATTEMPTS):
            (said, *spent) = own_process("alone.py", str(flow), str(source))
            found[names[0]].append((spent[0], spent[1]))
            inner.append(float(said))
            for name, workers in ((names[1], 1), (names[2], several)):
                job = folder / "job.json"
                output = folder / f"out-{attempt}-{workers}.parquet"
                job.write_bytes(msgspec.json.encode(job_of(flow, source, output)))
                (_, *spent) = own_process("whole.py", str(job), str(workers))
                found[name].append((spent[0], spent[1]))
            seconds = streamed(host, source, count)
            found[names[3]].append((seconds, 0.0))
    return report(count, found, min(inner))


def report(count: int, found: dict[str, list[tuple[float, float]]], inner: float) -> int:
    """A line for each; 1 where a ratio is too small."""
    whole, *others = (
        (name, min(tries)[0], min(t[1] for t in tries)) for name, tries in found.items()
    )
    print(f"{count:,} rows; ratio wanted: {ENOUGH} or more")
    print(f"{'':<20}{'rows/s':>12}{'ratio':>8}{'processor':>12}")
    print(f"{whole[0]:<20}{count / whole[1]:>12,.0f}{1:>8.2f}{whole[2]:>10.1f} s")
    print(f"{'  without its start':<20}{count / inner:>12,.0f}")
    missed = 0
    for name, seconds, cpu in others:
        ratio = (whole[1] if cpu else inner) / seconds
        missed |= ratio < ENOUGH
        spent = f"{cpu:>10.1f} s" if cpu else ""
        print(f"{name:<20}{count / seconds:>12,.0f}{ratio:>8.2f}{spent}")
    return int(missed)


def own_process(file: str, *arguments: str) -> tuple[str, float, float]:
    """What a process of a file here says, its seconds, and those of processor time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, str(HERE / file), *arguments]
    said = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=base_environment()
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return said, time.perf_counter() - began, spent


def write_rows(flow: Path, path: Path, count: int) -> None:
    """The flow's sample again and again."""
    names = [column.name for column in signature_of(flow).columns]
    sample = parquet.read_table(flow / "sample.parquet", columns=names)
    parts = [sample] * (count // sample.num_rows + 1)
    parquet.write_table(pa.concat_tables(parts).slice(0, count), path)


def signature_of(flow: Path) -> Signature:
    """What the flow takes."""
    facts = tomllib.loads((flow / "flow.toml").read_text("utf-8"))
    return msgspec.convert(facts["signature"], Signature)


def job_of(flow: Path, source: Path, output: Path) -> Batch:
    """A whole batch."""
    return Batch(
        runnable=Runnable(
            release="bench@1", python=sys.executable, flow=str(flow), runtime=str(SOURCE)
        ),
        digest="0" * 64,
        signature=signature_of(flow),
        input=str(source),
        output=str(output),
        keep=[],
    )


def serve(host: Host, flow: Path) -> None:
    """Have the flow answer behind a gateway."""
    digest = "b" * 64
    (host.directory / "flows" / digest).symlink_to(flow, target_is_directory=True)
    host.follow(1, WorkerSpec(release="tiny@1", flow=digest, python=sys.executable))
    host.applied()


def streamed(host: Host, source: Path, count: int) -> float:
    """The seconds until the last row of a stream is answered."""
    answered = pa.BufferOutputStream()
    began = time.perf_counter()
    with host.client(headers={"content-type": ARROW, "accept": ARROW}) as client:
        url = "/models/tiny/predict"
        with client.stream("POST", url, content=_pieces(source), timeout=600) as reply:
            reply.raise_for_status()
            for piece in reply.iter_raw():
                answered.write(piece)
    took = time.perf_counter() - began
    rows = sum(batch.num_rows for batch in pa.ipc.open_stream(answered.getvalue()))
    assert rows == count, f"{rows} of {count} rows are answered"
    return took


def _pieces(source: Path) -> Iterator[bytes]:
    """The file as a stream: its schema, a message for each chunk, its end."""
    file = parquet.ParquetFile(source)
    yield file.schema_arrow.serialize().to_pybytes()
    for rows in file.iter_batches(CHUNK):
        yield rows.serialize().to_pybytes()
    yield b"\xff\xff\xff\xff\0\0\0\0"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
