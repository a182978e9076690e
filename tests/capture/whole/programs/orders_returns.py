"""Monthly job of the shop's analyst: which orders will come back?

    python orders_returns.py --settings '{"top_cities": 3}' --beta 1.0

Trains on the older orders, finds the threshold on the newer ones, and writes a short report.
"""
from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

logger = logging.getLogger("returns")
HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "programs" / "orders.csv"
TARGET = "returned"


@dataclass
class Settings:
    """What may be changed from month to month."""

    top_cities: int = 4
    validation_share: float = 0.3
    C: float = 1.0
    numeric: list[str] = field(
        default_factory=lambda: ["amount", "items", "price_per_item", "hour", "weekday", "month"]
    )
    thresholds: tuple[float, ...] = tuple(np.arange(0.2, 0.8, 0.05).round(2).tolist())

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        known: dict[str, Any] = json.loads(text)
        unknown = set(known) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown settings: {sorted(unknown)}")
        return cls(**known)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--beta", type=float, default=1.0)
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args(argv)


def read(path: Path) -> pd.DataFrame:
    logger.info("reading %s", path)
    return pd.read_csv(path, parse_dates=["placed"])


def add_features(orders: pd.DataFrame) -> pd.DataFrame:
    """Calendar, price per item, the code's letters, a tidy coupon."""
    out = orders.copy()
    out["hour"] = out["placed"].dt.hour
    out["weekday"] = out["placed"].dt.weekday
    out["month"] = out["placed"].dt.month
    out["night"] = ((out["hour"] < 6) | (out["hour"] >= 23)).astype(int)
    out["price_per_item"] = out["amount"] / out["items"]
    out["line"] = out["code"].str.split("-").str[0]
    out["coupon"] = out["coupon"].str.strip().str.lower().fillna("none")
    return out


def top_values(values: pd.Series, count: int) -> list[str]:
    return values.value_counts().nlargest(count).index.tolist()


class Encoder:
    """Standardised numbers beside one-hot words; rare cities become 'other'."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.scaler = StandardScaler()
        self.cities: list[str] = []
        self.columns: list[str] = []

    def fit(self, table: pd.DataFrame) -> "Encoder":
        self.cities = top_values(table["city"], self.settings.top_cities)
        self.scaler.fit(np.log1p(table[self.settings.numeric]))
        self.columns = self._words(table).columns.tolist()
        return self

    def _words(self, table: pd.DataFrame) -> pd.DataFrame:
        city = table["city"].where(table["city"].isin(self.cities), "other")
        words = pd.DataFrame({"city": city, "channel": table["channel"],
                              "line": table["line"], "coupon": table["coupon"]})
        return pd.get_dummies(words, dtype=float)

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        numbers = pd.DataFrame(
            self.scaler.transform(np.log1p(table[self.settings.numeric])),
            columns=self.settings.numeric, index=table.index,
        )
        words = self._words(table).reindex(columns=self.columns, fill_value=0.0)
        return pd.concat([numbers, words, table[["night"]]], axis=1)


def f_beta(y: pd.Series, flagged: np.ndarray, beta: float) -> float:
    precision = precision_score(y, flagged, zero_division=0)
    recall = recall_score(y, flagged, zero_division=0)
    if precision + recall == 0:
        return 0.0
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def best_threshold(y: pd.Series, chance: np.ndarray, settings: Settings, beta: float) -> float:
    scores = {t: f_beta(y, chance >= t, beta) for t in settings.thresholds}
    best = max(scores, key=scores.get)
    logger.info("threshold %.2f (F %.3f)", best, scores[best])
    return best


def write_report(path: Path, lines: list[str]) -> None:
    with path.open("w", encoding="utf-8") as report:
        for line in lines:
            print(line, file=report)


def main(argv: list[str] | None = None) -> tuple[np.ndarray, pd.Series]:
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING)
    try:
        settings = Settings.from_json(arguments.settings)
    except ValueError as error:
        sys.exit(f"settings: {error}")

    orders = read(arguments.data)
    table = add_features(orders)
    table = table.sort_values("placed", kind="stable")
    size = int(len(table) * settings.validation_share)
    train, valid = table.iloc[:-size], table.iloc[-size:]

    encoder = Encoder(settings).fit(train)
    model = LogisticRegression(C=settings.C, max_iter=1000)
    model.fit(encoder.transform(train), train[TARGET])
    chance = model.predict_proba(encoder.transform(valid))[:, 1]
    threshold = best_threshold(valid[TARGET], chance, settings, arguments.beta)
    flagged = pd.Series(np.where(chance >= threshold, "inspect", "ship"), index=valid.index)

    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.txt"
        write_report(report, [
            f"orders: {len(orders)}, of which {len(valid)} to validate",
            f"auc: {roc_auc_score(valid[TARGET], chance):.3f}",
            f"flagged: {(flagged == 'inspect').mean():.1%} at {threshold}",
        ])
        print(report.read_text(encoding="utf-8"), end="")
    return chance, flagged


if __name__ == "__main__":
    chance, action = main()
