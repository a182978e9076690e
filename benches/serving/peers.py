"""The peers: what each needs installed, and the same flow in its own way of serving."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from flow_features import NUMBERS
from sides import HERE, Command, Side

BATCHING = "+batching"
PEERS = (
    "mlflow", "mlserver", "mlserver+batching", "bentoml", "bentoml+batching", "litserve",
    "litserve+batching", "ray",
)  # fmt: skip
_REQUIREMENTS = {"ray": "ray[serve]"}


class Peer(Command):
    """A peer's server; its answers are a list of scores somewhere."""

    def __init__(self, name: str, path: str, command: list[str], folder: Path, **how: str) -> None:
        super().__init__(name, path, path, command, folder, **how)

    def body(self, records: list[dict[str, Any]], single: bool) -> str:
        if self.name.startswith("mlflow"):
            return json.dumps({"dataframe_records": records})
        if self.name.startswith("mlserver"):
            return json.dumps(_tensors(records))
        return json.dumps({"rows": records})

    def scores(self, answer: Any) -> list[float]:
        if isinstance(answer, list):
            return answer
        if "outputs" in answer:
            return list(answer["outputs"][0]["data"])
        found: list[float] = answer.get("predictions") or answer["scores"]
        return found


def make(wanted: str, cache: Path, folder: Path, model: Path) -> list[Side]:
    """The servers of the peers that are asked for, installed where they are not yet."""
    names = {"all": list(PEERS), "none": []}.get(wanted) or wanted.split(",")
    return [_peer(name, cache, folder, model) for name in names if wanted != "none"]


def _peer(wanted: str, cache: Path, folder: Path, model: Path) -> Side:
    """A peer, as it is or with its way of answering several requests together."""
    name, batching = wanted.removesuffix(BATCHING), wanted.endswith(BATCHING)
    python = _installed(name, cache)
    version = subprocess.run(
        [str(python), "-c", f"import importlib.metadata as m; print(m.version({name!r}))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    own = folder / wanted
    own.mkdir()
    shutil.copyfile(model / "model.pickle", own / "model.pickle")
    shutil.copyfile(HERE / "flow_features.py", own / "flow_features.py")
    (own / "served.py").write_text(_COMMON + _SERVED[wanted], "utf-8")
    binaries = python.parent
    title = f"{name} {version}{BATCHING if batching else ''}"
    if name == "mlflow":
        subprocess.run([str(python), "served.py"], cwd=own, check=True, capture_output=True)
        command = [str(binaries / "mlflow"), "models", "serve", "-m", str(own / "saved")]
        command += ["--env-manager", "local", "--port", "{port}"]
        path = f"{binaries}:/usr/bin:/bin"
        return Peer(title, "/invocations", command, own, PATH=path)
    if name == "mlserver":
        settings = {"name": "flight", "implementation": "served.Flight"}
        if batching:
            settings |= {"max_batch_size": 64, "max_batch_time": 0.005}
        (own / "model-settings.json").write_text(json.dumps(settings), "utf-8")
        command = [str(binaries / "mlserver"), "start", str(own)]
        ports = {"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "0"}
        ports |= {"MLSERVER_METRICS_PORT": "0", "MLSERVER_PARALLEL_WORKERS": "0"}
        return Peer(title, "/v2/models/flight/infer", command, own, **ports)
    if name == "bentoml":
        command = [str(binaries / "bentoml"), "serve", "served:Flight", "--port", "{port}"]
        return Peer(title, "/predict", command, own)
    command = [str(python), "served.py", "{port}"]
    return Peer(title, "/predict", command, own)


def _installed(name: str, cache: Path) -> Path:
    """The interpreter of the peer's own environment, made where it is not there."""
    import importlib.metadata

    python = cache / name / "bin" / "python"
    if (cache / name / "ready").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache / name)], check=True)
    same = [f"{p}=={importlib.metadata.version(p)}" for p in ("scikit-learn", "numpy")]
    wanted = [_REQUIREMENTS.get(name, name), "pandas", *same]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
    (cache / name / "ready").touch()
    return python


def _tensors(records: list[dict[str, Any]]) -> dict[str, Any]:
    inputs = [
        {
            "name": name,
            "shape": [len(records), 1],
            "datatype": "FP64" if name in NUMBERS else "BYTES",
            "parameters": {} if name in NUMBERS else {"content_type": "str"},
            "data": [record[name] for record in records],
        }
        for name in records[0]
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


_COMMON = """
import pickle
import sys
from pathlib import Path

import pandas
from flow_features import prepare


def load():
    return pickle.loads((Path(__file__).parent / "model.pickle").read_bytes())


def answer(model, table):
    return model.predict_proba(prepare(table))[:, 1].tolist()

"""
_SERVED: dict[str, str] = {
    "mlflow": """
import mlflow.pyfunc


class Flight(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.model = pickle.loads(Path(context.artifacts["model"]).read_bytes())

    def predict(self, context, model_input, params=None):
        return answer(self.model, model_input)


if __name__ == "__main__":
    here = Path(__file__).parent
    mlflow.pyfunc.save_model(
        str(here / "saved"),
        python_model=Flight(),
        artifacts={"model": str(here / "model.pickle")},
        code_paths=[str(here / "flow_features.py")],
        pip_requirements=[],
    )
""",
    "mlserver": """
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceResponse
import numpy


class Flight(MLModel):
    async def load(self):
        self.flight = load()
        return True

    async def predict(self, payload):
        scores = numpy.array(answer(self.flight, PandasCodec.decode_request(payload)))
        output = NumpyCodec.encode_output("scores", scores)
        return InferenceResponse(model_name=self.name, outputs=[output])
""",
    "bentoml": """
import bentoml


@bentoml.service(workers=1)
class Flight:
    def __init__(self):
        self.model = load()

    @bentoml.api(batchable=False)
    def predict(self, rows: list[dict]) -> list[float]:
        return answer(self.model, pandas.DataFrame(rows))
""",
    "litserve": """
import litserve


class Flight(litserve.LitAPI):
    def setup(self, device):
        self.model = load()

    def decode_request(self, request):
        return request["rows"]

    def predict(self, rows):
        return answer(self.model, pandas.DataFrame(rows))

    def encode_response(self, scores):
        return {"scores": scores}


if __name__ == "__main__":
    server = litserve.LitServer(Flight(), accelerator="cpu")
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
""",
    "litserve+batching": """
import litserve


class Flight(litserve.LitAPI):
    def setup(self, device):
        self.model = load()

    def decode_request(self, request):
        return request["rows"]

    def batch(self, requests):
        return requests

    def predict(self, requests):
        together = [row for rows in requests for row in rows]
        scores = iter(answer(self.model, pandas.DataFrame(together)))
        return [[next(scores) for _ in rows] for rows in requests]

    def unbatch(self, scores):
        return scores

    def encode_response(self, scores):
        return {"scores": scores}


if __name__ == "__main__":
    api = Flight(max_batch_size=64, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
""",
    "ray": """
import time

import ray
from ray import serve


@serve.deployment
class Flight:
    def __init__(self):
        self.model = load()

    async def __call__(self, request):
        rows = (await request.json())["rows"]
        return {"scores": answer(self.model, pandas.DataFrame(rows))}


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=2)
    serve.start(http_options={"port": int(sys.argv[1])})
    serve.run(Flight.bind(), route_prefix="/predict")
    while True:
        time.sleep(60)
""",
}
_SERVED["mlserver+batching"] = _SERVED["mlserver"]
_SERVED["bentoml+batching"] = _SERVED["bentoml"].replace(
    "batchable=False", "batchable=True, max_batch_size=2048, max_latency_ms=10000"
)
