"""Makes the tables that the programs read: seeded, small, with the blemishes of real ones.

``python -m tests.capture.tables`` writes them anew beside the programs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent / "programs"
SURNAMES = ("Braund", "Heikkinen", "Allen", "Moran", "Palsson", "Nasser", "Sandstrom", "Bonnell")


def passengers(count: int = 240) -> pd.DataFrame:
    """People on a ship: names with titles, ages, decks and ports with nulls, who survived."""
    rng = np.random.default_rng(11)
    sex = rng.choice(["male", "female"], count, p=[0.6, 0.4])
    age = np.round(np.abs(rng.normal(30, 14, count)) + 0.5, 1)
    young = age < 16
    title = np.where(
        sex == "male",
        np.where(young, "Master", np.where(rng.random(count) < 0.05, "Dr", "Mr")),
        np.where(young | (rng.random(count) < 0.4), "Miss", "Mrs"),
    )
    name = [
        f"{rng.choice(SURNAMES)}, {word}. {chr(65 + i % 26)}{i}" for i, word in enumerate(title)
    ]
    pclass = rng.choice([1, 2, 3], count, p=[0.25, 0.2, 0.55])
    fare = np.round(rng.exponential(12, count) * (4 - pclass) + 4, 2)
    port = rng.choice(["S", "C", "Q"], count, p=[0.7, 0.2, 0.1]).astype(object)
    deck = rng.choice(list("ABCDE"), count).astype(object)
    chance = 1 / (1 + np.exp(-(1.8 * (sex == "female") - 0.6 * (pclass - 2) - 0.01 * age - 0.4)))
    frame = pd.DataFrame(
        {
            "id": np.arange(1, count + 1),
            "name": name,
            "sex": sex,
            "age": np.where(rng.random(count) < 0.2, np.nan, age),
            "pclass": pclass,
            "fare": fare,
            "sibsp": rng.choice([0, 0, 0, 1, 1, 2, 4], count),
            "deck": np.where(rng.random(count) < 0.5, None, deck),
            "port": port,
            "survived": (rng.random(count) < chance).astype(int),
        }
    )
    frame.loc[[17, 61], "port"] = None
    return frame


def houses(count: int = 240) -> pd.DataFrame:
    """Houses that were sold: areas, quality in words, zones, dates; a few without a price."""
    rng = np.random.default_rng(12)
    area = np.round(rng.normal(150, 45, count).clip(40)).astype(int)
    quality = rng.choice(["Po", "Fa", "TA", "Gd", "Ex"], count, p=[0.05, 0.15, 0.4, 0.3, 0.1])
    zone = rng.choice(["north", "south", "harbour", "mill"], count, p=[0.4, 0.3, 0.2, 0.1])
    year = rng.integers(1900, 2015, count)
    day = pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 900, count), unit="D")
    levels = {"Po": 0, "Fa": 10, "TA": 25, "Gd": 45, "Ex": 90}
    price = 1.6 * area + pd.Series(quality).map(levels).to_numpy() + 0.3 * (year - 1900)
    price = price + 30 * (zone == "harbour") + rng.normal(0, 12, count)
    price[[5, 77]] = [1900.0, 2100.0]
    frame = pd.DataFrame(
        {
            "id": np.arange(5000, 5000 + count),
            "area": area,
            "rooms": (area / 30 + rng.normal(0, 1, count)).clip(1).round().astype(int),
            "quality": quality,
            "zone": zone,
            "year": year,
            "sold": day.strftime("%Y-%m-%d"),
            "garage": np.where(rng.random(count) < 0.15, np.nan, rng.integers(0, 4, count)),
            "lot": np.where(
                rng.random(count) < 0.1, np.nan, np.round(rng.lognormal(6, 0.5, count), 1)
            ),
            "price": np.round(price, 1),
        }
    )
    frame.loc[[9, 40, 121], "price"] = np.nan
    return frame


def orders(count: int = 300) -> pd.DataFrame:
    """Orders of a shop: when, where, by which channel, how much, and whether they came back."""
    rng = np.random.default_rng(13)
    placed = pd.Timestamp("2023-03-01 08:00") + pd.to_timedelta(
        rng.integers(0, 60 * 24 * 300, count), unit="min"
    )
    city = rng.choice(
        ["Ghent", "Bruges", "Namur", "Mons", "Arlon"], count, p=[0.4, 0.3, 0.2, 0.08, 0.02]
    )
    amount = np.round(rng.lognormal(3.5, 0.8, count), 2)
    items = rng.integers(1, 9, count)
    code = [f"{rng.choice(['AB', 'CD', 'EF'])}-{rng.integers(100, 999)}" for _ in range(count)]
    coupon = rng.choice(["spring", "VIP ", " spring", "vip"], count).astype(object)
    late = 1 / (1 + np.exp(-(0.01 * amount - 0.2 * items + (city == "Mons") - 0.3)))
    return pd.DataFrame(
        {
            "order": np.arange(count) + 90000,
            "placed": placed.strftime("%Y-%m-%d %H:%M"),
            "city": city,
            "channel": rng.choice(["web", "shop", "phone"], count),
            "amount": amount,
            "items": items,
            "code": code,
            "coupon": np.where(rng.random(count) < 0.4, None, coupon),
            "returned": (rng.random(count) < late).astype(int),
        }
    )


def messages(count: int = 160) -> pd.DataFrame:
    """Short messages to a service desk, with the queue that they belong to."""
    rng = np.random.default_rng(14)
    words = {
        "billing": [
            "invoice",
            "refund",
            "charge",
            "card",
            "payment",
            "twice",
            "amount",
            "bank",
            "receipt",
            "price",
        ],
        "access": [
            "password",
            "login",
            "account",
            "locked",
            "reset",
            "email",
            "code",
            "user",
            "sign",
            "access",
        ],
        "delivery": [
            "parcel",
            "late",
            "courier",
            "address",
            "track",
            "box",
            "door",
            "week",
            "shipped",
            "order",
        ],
    }
    common = [
        "please",
        "help",
        "my",
        "the",
        "is",
        "it",
        "and",
        "not",
        "yet",
        "hello",
        "thanks",
        "urgent",
    ]
    queues = rng.choice(list(words), count)
    texts = []
    for queue in queues:
        chosen = list(rng.choice(words[queue], 5)) + list(rng.choice(common, 4))
        rng.shuffle(chosen)
        texts.append(" ".join(chosen).capitalize())
    return pd.DataFrame({"text": texts, "queue": queues})


TABLES = {"passengers": passengers, "houses": houses, "orders": orders, "messages": messages}


if __name__ == "__main__":
    for name, make in TABLES.items():
        make().to_csv(FOLDER / f"{name}.csv", index=False)
