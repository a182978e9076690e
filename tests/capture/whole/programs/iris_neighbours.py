#!/usr/bin/env python
"""CS101 assignment 3: k nearest neighbours without scikit-learn's classifier.

usage: iris_neighbours.py [--k K] [--metric euclid|manhattan] [--seed SEED]
"""
import argparse
import math
import sys
from collections import Counter

import pandas as pd
from sklearn.datasets import load_iris


def euclid(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))


def manhattan(a, b):
    return sum(abs(x - y) for x, y in zip(a, b))


METRICS = {"euclid": euclid, "manhattan": manhattan}


class KNN(object):
    """Remembers everything, votes among the nearest."""

    def __init__(self, k=3, metric=euclid):
        self.k = k
        self.metric = metric
        self.points = []
        self.labels = []

    def fit(self, points, labels):
        for p, l in zip(points, labels):
            self.points.append(list(p))
            self.labels.append(l)

    def classify(self, point):
        order = sorted(range(len(self.points)), key=lambda i: self.metric(self.points[i], point))
        votes = Counter(self.labels[i] for i in order[: self.k])
        return votes.most_common(1)[0][0]


def normalise(df, low, high):
    return (df - low) / (high - low)


def main(argv):
    ap = argparse.ArgumentParser()
    ap.add_argument("--k", type=int, default=5)
    ap.add_argument("--metric", choices=METRICS, default="euclid")
    ap.add_argument("--seed", type=int, default=12)
    args = ap.parse_args(argv)

    bunch = load_iris(as_frame=True)
    iris = bunch.frame
    iris.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    iris["species"] = iris["species"].apply(lambda i: bunch.target_names[i])
    iris = iris.sample(frac=1, random_state=args.seed)
    cut = int(len(iris) * 0.67)
    train, test = iris[:cut], iris[cut:]

    inputs = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    low, high = train[inputs].min(), train[inputs].max()
    knn = KNN(args.k, METRICS[args.metric])
    knn.fit(normalise(train[inputs], low, high).values, train["species"])

    scaled = normalise(test[inputs], low, high)
    predictions = []
    for row in scaled.values:
        predictions.append(knn.classify(row))
    correct = sum(p == t for p, t in zip(predictions, test["species"]))
    print("accuracy: %.2f%%" % (100.0 * correct / len(predictions)))
    return predictions


if __name__ == "__main__":
    answers = main(sys.argv[1:])
