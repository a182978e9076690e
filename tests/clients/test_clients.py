"""Other people's clients against a real gateway: tritonclient, MLflow's client, schemathesis.

They live in an environment of their own: ``make clients`` makes it and runs these.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from roadworthy.testing.hosts import Host

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-clients"
PYTHON = ENVIRONMENT / "bin" / "python"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make clients")


@pytest.fixture(scope="module")
def bound_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def host(bound_port):
    with Host(bound={bound_port: "tiny"}) as started:
        started.follow(1, started.add_flow(1), started.add_flow(2, factor=3.0))
        started.applied()
        yield started


def run(program: list[str], *arguments: str, cwd: Path | None = None) -> str:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "NO_PROXY": "*"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*program, *arguments],
        capture_output=True, text=True, timeout=110, check=False, cwd=cwd,
        env={**kept, **quiet},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


TRITON = """
import sys
import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("tiny") and client.is_model_ready("tiny", "2")
assert not client.is_model_ready("none")
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
described = client.get_model_metadata("tiny")
assert [(i["name"], i["datatype"]) for i in described["inputs"]] == [
    ("a", "FP64"), ("b", "INT64"), ("kind", "BYTES")]

columns = {
    "a": numpy.array([1.5, 2.5, -1.0]),
    "b": numpy.array([2, 3, 4], dtype="int64"),
    "kind": numpy.array(["fine", "odd", "fine"], dtype=object),
}

def ask(binary_in, binary_out, types=("FP64", "INT64", "BYTES"), **more):
    inputs = []
    for (name, values), datatype in zip(columns.items(), types):
        tensor = triton.InferInput(name, list(values.shape), datatype)
        if datatype not in ("BYTES",):
            values = values.astype(triton.triton_to_np_dtype(datatype))
        tensor.set_data_from_numpy(values, binary_data=binary_in)
        inputs.append(tensor)
    outputs = [triton.InferRequestedOutput(n, binary_data=binary_out) for n in ("scores", "labels")]
    return client.infer("tiny", inputs, outputs=outputs, request_id="77", **more)

for binary_in in (True, False):
    for binary_out in (True, False):
        for compression in (None, "gzip", "deflate"):
            answer = ask(binary_in, binary_out, request_compression_algorithm=compression,
                         response_compression_algorithm=compression)
            scores = answer.as_numpy("scores")
            assert scores[:2].tolist() == [5.0, 8.0], scores
            assert answer.get_response()["id"] == "77"
            label = answer.as_numpy("labels")[0]
            assert (label.decode() if isinstance(label, bytes) else label) == "low", label
            assert answer.get_response()["parameters"]["rejected"][0]["row"] == 2

for types in (("FP32", "INT32", "BYTES"), ("FP16", "INT8", "BYTES"), ("INT16", "UINT8", "BYTES")):
    if types[0] == "INT16":
        columns["a"] = numpy.array([1.0, 2.0, -1.0])
    answer = ask(True, True, types=types)
    assert len(answer.as_numpy("scores")) == 3
assert ask(True, True, model_version="2", timeout=5_000_000, priority=1).get_response()[
    "model_version"] == "2"

columns["a"] = numpy.array([1.0, 2.0, numpy.nan])
try:
    ask(True, True)
    raise SystemExit("a missing number was taken")
except InferenceServerException as error:
    assert "row 2, a: expected a number, got null" in str(error), error
print("fine")
"""

MLFLOW = """
import sys
import pandas
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

client = ScoringServerClient("127.0.0.1", int(sys.argv[1]))
client.ping()
assert client.get_version()
rows = pandas.DataFrame({"a": [1.5, 2.5], "b": [2, 3], "kind": ["fine", "odd"]})
predictions = client.invoke(rows).get_predictions()
assert predictions["scores"].tolist() == [5.0, 8.0], predictions
records = [{"a": 1.5, "b": 2, "kind": "fine"}]
assert client.invoke(records).get_predictions()["labels"].tolist() == ["low"]
assert client.invoke(rows, params={"x": 1}).get_predictions()["scores"].tolist() == [5.0, 8.0]
try:
    client.invoke(pandas.DataFrame({"a": [1.5]}))
    raise SystemExit("a missing column was taken")
except Exception as error:
    assert "kind" in str(error) and "BAD_REQUEST" in str(error), error
print("fine")
"""


def test_tritonclient_with_every_combination_of_binary_json_and_compression(host):
    address = host.status().gateway_address
    assert run([str(PYTHON), "-c", TRITON], address).endswith("fine\n")


def test_mlflows_scoring_client_on_a_port_bound_to_a_model(host, bound_port):
    assert run([str(PYTHON), "-c", MLFLOW], str(bound_port)).endswith("fine\n")


@pytest.mark.parametrize("operation", ["predict", "invocations", "infer", "metadata", "ready"])
def test_schemathesis_finds_nothing_wrong_with_the_described_service(host, operation, tmp_path):
    address = f"http://{host.status().gateway_address}"
    # No schema can say which shapes fit their data, and what is CSV.
    beyond = operation in ("infer", "invocations")
    more = ["--exclude-checks", "positive_data_acceptance"] if beyond else []
    run(
        [str(ENVIRONMENT / "bin" / "schemathesis"), "run", f"{address}/openapi/tiny.json"],
        "--url", address,
        "--checks", "all",
        *more,
        "--include-operation-id", operation,
        "--max-examples", "60",
        "--seed", "1",
        "--no-color",
        cwd=tmp_path,
    )  # fmt: skip
