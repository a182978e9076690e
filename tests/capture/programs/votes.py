# Models of models: a vote, a calibrated one, the best of a search.
from pathlib import Path

import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
df = df.fillna({"age": df["age"].mean()})
X, y = df[["age", "pclass", "fare"]], df["survived"]
forest = RandomForestClassifier(n_estimators=5, random_state=0)
vote = VotingClassifier([("line", LogisticRegression()), ("forest", forest)], voting="soft")
vote.fit(X, y)
calibrated = CalibratedClassifierCV(GaussianNB(), cv=3).fit(X, y)
search = GridSearchCV(
    make_pipeline(StandardScaler(), KNeighborsClassifier()),
    {"kneighborsclassifier__n_neighbors": [3, 7]},
    cv=3,
)
search.fit(X, y)
best = search.best_estimator_
scores = vote.predict_proba(X)[:, 1] + calibrated.predict_proba(X)[:, 1] + best.predict(X)
