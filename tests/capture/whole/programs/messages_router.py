"""Routes messages of the service desk to queues.

Text cleaning with regular expressions, TF-IDF of words beside hand-made counts, three classifiers of
which the best in cross-validation is calibrated and kept.
"""
import functools
import re
import string
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.naive_bayes import MultinomialNB

path = Path(__file__).resolve().parents[2] / "programs" / "messages.csv"
STOP = frozenset("the is it and my".split())
NUMBER = re.compile(r"\d+")
PUNCTUATION = str.maketrans({sign: " " for sign in string.punctuation})


def normalise(text, stop=STOP):
    """Small letters, no signs, numbers as one word, no stop words."""
    text = NUMBER.sub(" number ", text.lower().translate(PUNCTUATION))
    return " ".join(word for word in text.split() if word not in stop)


def stem(word: str) -> str:
    for ending in ("ed", "ing", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


def tokens(text):
    return [stem(word) for word in text.split()]


def count_any(words, text):
    """How many of these words does the text have?"""
    return sum(1 for word in tokens(text) if word in words)


POLITE = {"please", "thank", "hello"}
polite = functools.partial(count_any, POLITE)

df = pd.read_csv(path)
df = df.drop_duplicates(subset="text").reset_index(drop=True)
print(df["queue"].value_counts().to_dict())

df["clean"] = df["text"].map(normalise)
df["words"] = df["clean"].str.split().str.len()
df["shouts"] = df["text"].apply(lambda t: sum(c.isupper() for c in t) / max(len(t), 1))
df["polite"] = [polite(text) for text in df["clean"]]
print(df.groupby("queue")[["words", "polite"]].mean().round(2))

train, test = train_test_split(df, test_size=0.25, random_state=8, stratify=df["queue"])
vectorizer = TfidfVectorizer(tokenizer=tokens, token_pattern=None, min_df=2, ngram_range=(1, 2))
extra = ["words", "shouts", "polite"]
X_train = hstack([vectorizer.fit_transform(train["clean"]), csr_matrix(train[extra].to_numpy())])
X_test = hstack([vectorizer.transform(test["clean"]), csr_matrix(test[extra].to_numpy())])
print("vocabulary", len(vectorizer.vocabulary_))

candidates = [
    DummyClassifier(strategy="most_frequent"),
    MultinomialNB(alpha=0.5),
    LogisticRegression(C=3, max_iter=500),
    RidgeClassifier(),
]
cv = StratifiedKFold(3, shuffle=True, random_state=8)


def quality(model):
    return cross_val_score(model, X_train.tocsr(), train["queue"], cv=cv, scoring="f1_macro").mean()


scored = sorted(((quality(m), i) for i, m in enumerate(candidates)), reverse=True)
for score, i in scored:
    print(f"{type(candidates[i]).__name__:<22} {score:.3f}")

winner = candidates[scored[0][1]]
calibrated = CalibratedClassifierCV(winner, method="sigmoid", cv=3).fit(X_train.tocsr(), train["queue"])
proba = calibrated.predict_proba(X_test)
sure = proba.max(axis=1)
queue = np.where(sure >= 0.45, calibrated.classes_[proba.argmax(axis=1)], "by hand")
print("f1 %.3f" % f1_score(test["queue"], calibrated.predict(X_test), average="macro"))
print(pd.Series(queue).value_counts().to_dict())
