"""The programs that go row by row, by halves, by masks and through functions of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from tests.capture import by_hand_rows, rows
from tests.capture.case import PROGRAMS, Case


def _flowers() -> Any:
    found = load_iris()
    return pd.DataFrame(found.data, columns=["a", "b", "c", "d"]).assign(target=found.target)


def _new_flowers() -> pd.DataFrame:
    return pd.DataFrame(
        [(5.0, 3.4, 1.5, 0.2), (6.1, 2.8, 4.6, 1.4), (7.1, 3.0, 5.9, 2.2), (0.0, 9.0, 9.0, 0.0)],
        columns=["a", "b", "c", "d"],
    )


def _new_tumours() -> Any:
    known = load_breast_cancer().data
    return np.array([known[:40].mean(axis=0), known[19:22].mean(axis=0), known.max(axis=0) * 3])


def _odd_codes() -> pd.DataFrame:
    codes = ["AB-123", "CD-900", "AB", "-7", "AB-100-2", "", "EF-"]
    return rows.orders().assign(code=codes)


def _priced_houses() -> pd.DataFrame:
    return pd.read_csv(PROGRAMS / "houses.csv").dropna(subset=["price"])


CASES = [
    Case(
        "columns_by_position",
        "orders",
        by_hand_rows.columns_by_position,
        "amount items",
        input="dataset",
        outputs=("y_pred",),
        answered="train_test_split(dataset, test_size=0.25, random_state=0)[1].index",
    ),
    Case("row_loops", "orders", by_hand_rows.row_loops, "city channel amount items code coupon"),
    Case(
        "masks_and_halves",
        "houses",
        by_hand_rows.masks_and_halves,
        "area rooms year lot",
        input="houses",
        outputs=("answers",),
        answered="houses.index",
    ),
    Case(
        "parts_of_texts",
        "orders",
        by_hand_rows.parts_of_texts,
        "placed items code",
        new=_odd_codes,
        rejected={4: 8},
    ),
    Case(
        "part_filled_in",
        "houses",
        by_hand_rows.part_filled_in,
        "area rooms garage lot",
        input="dataset",
        outputs=("y_pred",),
        answered="train_test_split(dataset, test_size=0.25, random_state=0)[1].index",
    ),
    Case(
        "codes_of_columns",
        "orders",
        by_hand_rows.codes_of_columns,
        "city channel items",
        rejected={3: 11, 4: 11},
    ),
    Case(
        "two_files_together",
        "houses",
        by_hand_rows.two_files_together,
        "area rooms quality year garage lot",
        input="test",
        outputs=("predictions",),
        answered="test.index + 180",
    ),
    Case(
        "columns_beside",
        "",
        by_hand_rows.columns_beside,
        "a b c d",
        answered="held.index",
        raw=_flowers,
        new=_new_flowers,
    ),
    Case(
        "columns_not_needed",
        "houses",
        by_hand_rows.columns_not_needed,
        "area rooms",
        input="houses",
        answered="houses.index",
    ),
    Case(
        "dropped_by_index",
        "houses",
        by_hand_rows.dropped_by_index,
        "area rooms",
        input="houses",
        answered="houses.index",
    ),
    Case(
        "laid_out_otherwise",
        "",
        by_hand_rows.laid_out_otherwise,
        tuple(load_diabetes().feature_names),
        answered="df.index",
        raw=lambda: load_diabetes(as_frame=True).frame,
        new=lambda: load_diabetes(as_frame=True).data.iloc[5:9].mul(0.9).reset_index(drop=True),
    ),
    Case(
        "bunch_named",
        "",
        by_hand_rows.bunch_named,
        tuple(f"iris_{place}" for place in range(4)),
        input="iris",
        answered="train_test_split(range(150), random_state=0)[1]",
        raw=lambda: load_iris().data,
        new=lambda: load_iris().data[[3, 70, 71, 140]] * 1.1,
    ),
    Case(
        "rows_read_in_a_loop",
        "passengers",
        by_hand_rows.rows_read_in_a_loop,
        ("X_0", "X_1"),
        input="X",
        raw=lambda: pd.read_csv(PROGRAMS / "passengers.csv")[["pclass", "fare"]].to_numpy(float),
        new=lambda: rows.passengers()[["pclass", "fare"]].to_numpy(float),
    ),
    Case("fitted_view", "passengers", by_hand_rows.fitted_view, "sex age fare"),
    Case("local_estimator", "passengers", by_hand_rows.local_estimator, "pclass fare"),
    Case(
        "unnamed_table",
        "",
        by_hand_rows.unnamed_table,
        tuple(f"data_{place}" for place in range(30)),
        input=None,
        outputs=(),
        output="lr_preds",
        answered="train_test_split(range(569), test_size=0.3, random_state=0)[1]",
        raw=lambda: load_breast_cancer().data,
        new=_new_tumours,
    ),
    Case(
        "own_ways",
        "houses",
        by_hand_rows.own_ways,
        "area rooms year lot",
        answered="X.index",
        rejected={5: 13},
        raw=_priced_houses,
    ),
    Case(
        "nulls_of_keys",
        "orders",
        by_hand_rows.nulls_of_keys,
        "city amount items",
        input="orders",
        rejected={3: 9},
    ),
]
