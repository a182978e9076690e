"""Programs of the idioms of pandas, NumPy, scikit-learn, SciPy and statsmodels; see ``cases``."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tests.capture import oracles, rows
from tests.capture import oracles_of_libraries as by_hand
from tests.capture.case import PROGRAMS, Case

SPLIT = "train_test_split({}, random_state=0)[1].index"


def _messages() -> pd.DataFrame:
    return pd.DataFrame({"text": rows.messages()})


def _numbers() -> np.ndarray:
    return np.genfromtxt(PROGRAMS / "houses.csv", delimiter=",", skip_header=1)


def _number_rows() -> np.ndarray:
    return rows.houses()[["area", "rooms", "year", "lot"]].to_numpy(dtype=float)


def _texts(table: pd.DataFrame | list[str]) -> list[str]:
    return list(table["text"]) if isinstance(table, pd.DataFrame) else table


CASES = [
    Case(
        "dummies_apart",
        "orders",
        oracles.dummies_apart,
        "amount items city channel",
        outputs=("chance",),
        answered="test.index",
    ),
    Case(
        "dummies_reindexed",
        "orders",
        by_hand.dummies_reindexed,
        "amount city coupon",
        outputs=("estimates",),
        answered="X_test.index",
    ),
    Case(
        "pipeline_expression",
        "passengers",
        oracles.pipeline_expression,
        "age fare sibsp sex port pclass",
        outputs=("model.predict_proba(X_test)[:, 1]",),
        output="model.predict_proba(X_test)[:, 1]",
        answered="X_test.index",
    ),
    Case(
        "parts_and_rest",
        "orders",
        by_hand.parts_and_rest,
        "amount items channel city",
        outputs=("estimates",),
    ),
    Case(
        "dates_and_words",
        "orders",
        oracles.dates_and_words,
        "placed city channel amount code coupon",
        raw=lambda: pd.read_csv(PROGRAMS / "orders.csv", parse_dates=["placed"]),
        new=lambda: rows.orders().assign(placed=lambda t: pd.to_datetime(t["placed"])),
    ),
    Case(
        "texts_as_list",
        "messages",
        oracles.texts_as_list,
        "texts",
        input="texts",
        new=rows.messages,
        wrap=_texts,
    ),
    Case(
        "words_and_lengths",
        "messages",
        by_hand.words_and_lengths,
        "text",
        outputs=("billing",),
        answered="test.index",
        new=_messages,
    ),
    Case(
        "several_outputs",
        "orders",
        oracles.several_outputs,
        "amount items channel",
        input="orders",
        outputs=("chance", "call"),
    ),
    Case("fill_ways", "passengers", by_hand.fill_ways, "sex age pclass fare sibsp deck port"),
    Case("codes_and_edges", "orders", by_hand.codes_and_edges, "city channel amount items coupon"),
    Case(
        "stacked_folds",
        "passengers",
        by_hand.stacked_folds,
        "sex age pclass fare sibsp",
        answered="X_test.index",
    ),
    Case("joined_groups", "orders", by_hand.joined_groups, "city channel amount", input="orders"),
    Case(
        "encoders_kept",
        "orders",
        by_hand.encoders_kept,
        "city channel amount items",
        failing=(3,),
    ),
    Case("votes", "passengers", by_hand.votes, "age pclass fare"),
    Case("chosen_columns", "houses", by_hand.chosen_columns, "area rooms year zone"),
    Case(
        "regressions",
        "houses",
        by_hand.regressions,
        "area rooms year quality",
        outputs=("by_matrix", "chance", "by_formula"),
        answered="df.index",
    ),
    Case(
        "numpy_only",
        "",
        oracles.numpy_only,
        "data_1 data_2 data_5 data_8",
        input="data",
        outputs=("answers",),
        answered="np.flatnonzero(~np.isnan(np.genfromtxt("
        "Path(__file__).with_name('houses.csv'), delimiter=',', skip_header=1)[:, 9]))",
        raw=_numbers,
        new=_number_rows,
        wrap=lambda table: table[:, [1, 2, 5, 8]] if table.shape[1] == 10 else table,
    ),
]
