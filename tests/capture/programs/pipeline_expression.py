"""One pipeline for everything; of the table it is given it uses some columns only."""
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
X, y = df.drop(columns="survived"), df["survived"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)

numeric = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
words = Pipeline(
    [
        ("fill", SimpleImputer(strategy="most_frequent")),
        ("hot", OneHotEncoder(handle_unknown="ignore")),
    ]
)
parts = ColumnTransformer(
    [("numeric", numeric, ["age", "fare", "sibsp"]), ("words", words, ["sex", "port", "pclass"])]
)
model = Pipeline([("parts", parts), ("classifier", LogisticRegression(max_iter=500))])
model.fit(X_train, y_train)
print("accuracy", model.score(X_test, y_test))
