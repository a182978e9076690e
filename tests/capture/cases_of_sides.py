"""The programs whose test side is prepared by itself, or whose columns are labelled oddly."""

from __future__ import annotations

import pandas as pd
from sklearn.datasets import load_iris
from tests.capture import by_hand_sides
from tests.capture.case import Case

NAMES = load_iris().feature_names


def _one_level(values: object) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[NAMES])


_BY_TRAINING = """np.exp(model.predict(pd.DataFrame({
    "area": MinMaxScaler().fit(train[["area", "rooms"]]).transform(test[["area", "rooms"]])[:, 0],
    "rooms": MinMaxScaler().fit(train[["area", "rooms"]]).transform(test[["area", "rooms"]])[:, 1],
    "lot": test["lot"].fillna(train["lot"].median()).array,
    "garage": test["garage"].fillna(train["garage"].mode()[0]).array,
    "size": pd.cut(
        test["area"], pd.qcut(train["area"], 4, retbins=True)[1], labels=False, include_lowest=True
    ).array,
    "roomy": (test["area"] / test["zone"].map(train.groupby("zone")["area"].mean())).array,
})))"""

CASES = [
    Case(
        "scaled_again",
        "passengers",
        by_hand_sides.scaled_again,
        "sex pclass fare sibsp",
        output="model.predict_proba(pd.concat([pd.DataFrame("
        "StandardScaler().fit(X_train[names]).transform(X_test[names]), columns=names), sex_test"
        "], axis=1))[:, 1]",
        answered="X_test.index",
        warned=("line 16: what the test side learned", "all 72 of the program's own answers"),
    ),
    Case(
        "prepared_apart",
        "houses",
        by_hand_sides.prepared_apart,
        "area rooms zone garage lot",
        input="houses",
        outputs=("prices",),
        output=_BY_TRAINING,
        answered="test.index",
        failing=(4, 5, 6),
        warned=(
            *(f"line {line}: what the test side learned" for line in (16, 17, 18, 19, 21)),
            "all 78 of the program's own answers",
        ),
    ),
    Case(
        "nested_names",
        "",
        by_hand_sides.nested_names,
        tuple(NAMES),
        outputs=("groups",),
        answered="df.index",
        raw=lambda: _one_level(load_iris().data),
        new=lambda: _one_level(load_iris().data[[3, 70, 71, 140]] * 1.1),
    ),
    Case(
        "fitted_rows",
        "houses",
        by_hand_sides.fitted_rows,
        "area rooms year zone",
        outputs=("prices", "likely", "by_formula"),
        answered="df.index",
        failing=(4,),
    ),
    Case(
        "last_bits",
        "houses",
        by_hand_sides.last_bits,
        "area rooms year garage lot",
        outputs=("y_pred",),
        answered="train_test_split(df, test_size=0.2, random_state=0)[1].index",
        rejected={2: None, 3: None, 6: None},
    ),
]
