"""The same flow as people serve it by hand: FastAPI, pydantic, uvicorn."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pandas
import uvicorn
from fastapi import FastAPI
from flow_features import NUMBERS, TEXTS, prepare
from pydantic import create_model


def application(directory: Path) -> FastAPI:
    """The application; its endpoint runs on the event loop, the faster way at one connection."""
    with (directory / "model.pickle").open("rb") as file:
        model = pickle.load(file)  # noqa: S301 - the bench's own file
    fields: dict[str, Any] = dict.fromkeys(NUMBERS, (float, ...))
    fields |= dict.fromkeys(TEXTS, (str, ...))
    record = create_model("Record", **fields)
    app = FastAPI()

    async def predict(row: Any) -> dict[str, float]:
        flights = prepare(pandas.DataFrame([row.model_dump()]))
        return {"scores": float(model.predict_proba(flights)[0, 1])}

    predict.__annotations__["row"] = record
    app.post("/predict")(predict)

    async def predict_many(rows: Any) -> list[dict[str, float]]:
        scores = model.predict_proba(prepare(pandas.DataFrame([row.model_dump() for row in rows])))
        return [{"scores": score} for score in scores[:, 1].tolist()]

    predict_many.__annotations__["rows"] = list[record]  # type: ignore[valid-type]
    app.post("/predict_many")(predict_many)
    return app


if __name__ == "__main__":
    uvicorn.run(
        application(Path(sys.argv[1])),
        port=int(sys.argv[2]),
        access_log=False,
        log_level="warning",
        http="httptools",
    )
