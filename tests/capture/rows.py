"""New rows for each table: never seen in creation, with unseen words, nulls and extremes."""

from __future__ import annotations

from typing import Any

import pandas as pd


def passengers() -> pd.DataFrame:
    """An ordinary man and woman, nulls in age, deck and port, unseen port, title, extremes."""
    columns = ["id", "name", "sex", "age", "pclass", "fare", "sibsp", "deck", "port"]
    return pd.DataFrame(
        [
            (900, "Novak, Mr. Jan", "male", 41.5, 3, 7.9, 0, "B", "S"),
            (901, "Novak, Mrs. Anna", "female", 38.0, 1, 71.3, 1, "C", "C"),
            (902, "Olsen, Master. Karl", "male", None, 2, 21.0, 2, None, "Q"),
            (903, "Olsen, Miss. Ida", "female", None, 3, 9.25, 2, None, None),
            (904, "Wick, Mr. Hans", "male", 22.0, 2, 13.0, 0, "A", "X"),
            (905, "Crosby, Capt. Edward", "male", 70.0, 1, 71.0, 1, "T", "S"),
            (906, "Old, Mrs. Very", "female", 97.0, 1, 2500.0, 9, "E", "C"),
            (907, "New, Master. Born", "male", 0.1, 3, 0.5, 8, "D", "S"),
            (908, "Low, Miss. Fare", "female", 16.0, 3, 4.0, 0, None, "S"),
        ],
        columns=columns,
    )


def houses() -> pd.DataFrame:
    """Ordinary houses, nulls in garage and lot, a zone and a quality never seen, extremes."""
    columns = ["id", "area", "rooms", "quality", "zone", "year", "sold", "garage", "lot"]
    return pd.DataFrame(
        [
            (1, 140, 5, "TA", "north", 1972, "2021-02-03", 1.0, 400.0),
            (2, 95, 3, "Gd", "harbour", 2005, "2021-02-04", 0.0, 210.5),
            (3, 210, 7, "Ex", "mill", 1931, "2021-02-05", None, 980.0),
            (4, 133, 4, "Fa", "south", 1988, "2021-02-06", 2.0, None),
            (5, 120, 4, "Po", "island", 1950, "2021-02-07", 3.0, 350.0),
            (6, 990, 40, "Gd", "north", 2031, "2021-02-08", 9.0, 99000.0),
            (7, 21, 1, "TA", "south", 1850, "2021-02-09", None, None),
        ],
        columns=columns,
    )


def orders() -> pd.DataFrame:
    """Ordinary orders, an unseen city, channel and coupon, nulls, extremes."""
    columns = ["order", "placed", "city", "channel", "amount", "items", "code", "coupon"]
    return pd.DataFrame(
        [
            (1, "2024-05-06 10:30", "Ghent", "web", 25.0, 2, "AB-123", "vip"),
            (2, "2024-02-29 23:59", "Mons", "shop", 110.5, 7, "EF-900", None),
            (3, "2022-12-31 00:00", "Arlon", "phone", 61.0, 3, "CD-555", " spring"),
            (4, "2024-01-01 04:15", "Liege", "web", 33.3, 1, "AB-100", "summer"),
            (5, "2023-07-09 12:00", "Bruges", "kiosk", 47.0, 4, "ZZ-777", "VIP "),
            (6, "2035-10-10 18:45", "Namur", "shop", 9000.0, 60, "CD-999", "spring"),
            (7, "2023-03-01 05:59", "Namur", "web", 0.4, 1, "EF-101", None),
        ],
        columns=columns,
    )


def messages() -> list[str]:
    """Ordinary messages, words never seen, capitals and signs, an empty one."""
    return [
        "The parcel is late, where is the courier?",
        "REFUND my card: payment was charged TWICE!",
        "login code not in my email, account locked",
        "Zebras quarrel nightly",
        "",
        "hello please thanks",
    ]


def order_records() -> list[dict[str, Any]]:
    """Orders as records, among them a channel never seen."""
    frame = orders()[["amount", "items", "channel"]]
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]


def flowers() -> pd.DataFrame:
    """Irises near each kind, and one outside of all."""
    columns = [f"{part} {way} (cm)" for part in ("sepal", "petal") for way in ("length", "width")]
    return pd.DataFrame(
        [
            (5.0, 3.45, 1.45, 0.25),
            (6.05, 2.75, 4.55, 1.35),
            (7.1, 3.05, 5.95, 2.15),
            (1.0, 9.0, 9.0, 0.0),
        ],
        columns=columns,
    )
