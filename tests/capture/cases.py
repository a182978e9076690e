"""The programs, how they are captured, and what they are asked."""

from __future__ import annotations

import pandas as pd
from tests.capture import cases_of_libraries, cases_of_rows, cases_of_sides, oracles, rows
from tests.capture.case import Case
from tests.capture.whole import bunches, flights, jobs, kernels, notebooks, shop, surveys, tumours


def _flowers() -> pd.DataFrame:
    from sklearn.datasets import load_iris

    return load_iris(as_frame=True).frame


CASES = [
    Case(
        "titles_and_groups",
        "passengers",
        oracles.titles_and_groups,
        "name sex age pclass fare sibsp port",
    ),
    Case(
        "fill_whole_frame",
        "houses",
        oracles.fill_whole_frame,
        "area rooms quality zone year garage lot",
        input="data",
        outputs=("predictions",),
        answered="X_test.index",
    ),
    Case(
        "encode_in_loop",
        "passengers",
        oracles.encode_in_loop,
        "sex age pclass fare deck port",
        rejected={4: 19, 5: 19},
    ),
    Case(
        "dummies_together",
        "houses",
        oracles.dummies_together,
        "area rooms quality zone year garage",
        input="houses",
        outputs=("answers",),
        answered="test.index",
    ),
    Case(
        "parts_by_fit_transform",
        "houses",
        oracles.parts_by_fit_transform,
        "area rooms quality zone year garage lot",
        outputs=("predicted",),
        answered="train_test_split(df, random_state=0)[1].index",
    ),
    Case(
        "category_codes",
        "houses",
        oracles.category_codes,
        "area quality zone year garage",
        outputs=("estimates",),
        answered="pd.read_csv(Path(__file__).with_name('houses.csv'))"
        ".dropna(subset=['price']).index",
    ),
    Case("bins_and_clips", "passengers", oracles.bins_and_clips, "age pclass fare", failing=(6, 7)),
    Case(
        "group_tables",
        "orders",
        oracles.group_tables,
        "city channel amount items",
        input="orders",
        outputs=("risk",),
    ),
    Case(
        "lambdas_and_globals",
        "orders",
        oracles.lambdas_and_globals,
        "channel amount items code",
        outputs=("answers",),
    ),
    Case(
        "own_transformer",
        "passengers",
        oracles.own_transformer,
        "sex age pclass fare port",
        input="people",
    ),
    Case(
        "masks_and_reuse",
        "houses",
        oracles.masks_and_reuse,
        "area rooms year garage lot",
        outputs=("y",),
        answered="pd.read_csv(Path(__file__).with_name('houses.csv'))"
        ".dropna(subset=['price']).index",
    ),
    Case(
        "filter_rows",
        "orders",
        oracles.filter_rows,
        "channel amount items",
        input="orders",
        answered="orders.index",
        rejected={2: 8, 5: 9, 6: 9},
    ),
    Case(
        "labels_reset",
        "orders",
        oracles.filter_rows,
        "channel amount items",
        input="orders",
        answered="pd.read_csv(Path(__file__).with_name('orders.csv')).query("
        "\"channel != 'phone' and amount > 5 and items < 8\").index",
        rejected={2: 8, 5: 10, 6: 10},
    ),
    Case("folds_and_refit", "passengers", oracles.folds_and_refit, "sex age pclass fare sibsp"),
    Case(
        "texts_as_series",
        "messages",
        oracles.texts_as_series,
        "text",
        input="texts",
        outputs=("queue",),
        answered="test.index",
        new=lambda: pd.Series(rows.messages(), name="text"),
        wrap=lambda table: table["text"] if isinstance(table, pd.DataFrame) else table,
    ),
    Case(
        "with_arguments",
        "orders",
        oracles.with_arguments,
        "amount items coupon",
        outputs=("probabilities",),
        answered="X_test.index",
        arguments=("--penalty", "2", "--columns", "amount", "items"),
    ),
    Case(
        "nothing_named",
        "",
        oracles.nothing_named,
        tuple(rows.flowers().columns),
        input=None,
        outputs=(),
        output="predicted",
        raw=_flowers,
        new=rows.flowers,
    ),
    Case(
        "series_and_table",
        "orders",
        oracles.series_and_table,
        "order amount items",
        input="orders",
        outputs=("scores", "handed_in"),
    ),
    Case(
        "shuffled_and_sorted",
        "houses",
        oracles.shuffled_and_sorted,
        "area rooms year garage lot",
        input="houses",
        outputs=("late",),
        answered="pd.read_csv(Path(__file__).with_name('houses.csv')).dropna(subset=['price'])"
        ".sort_values('price', ascending=False).sample(frac=1, random_state=4).index[half:]",
    ),
    *cases_of_libraries.CASES,
    *cases_of_rows.CASES,
    *cases_of_sides.CASES,
    *bunches.CASES,
    *flights.CASES,
    *jobs.CASES,
    *kernels.CASES,
    *notebooks.CASES,
    *shop.CASES,
    *surveys.CASES,
    *tumours.CASES,
]
