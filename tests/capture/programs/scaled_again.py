# The test side is scaled by itself; both are put beside dummies, by numbered rows.
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
names = ["pclass", "fare", "sibsp"]
X_train, X_test, y_train, y_test = train_test_split(
    df[[*names, "sex"]], df["survived"], test_size=0.3, random_state=7
)
scale = StandardScaler()
x_train = scale.fit_transform(X_train[names])
x_test = scale.fit_transform(X_test[names])

N, M = len(X_train), len(X_test)
x_train = pd.DataFrame(x_train, columns=names, index=range(N))
x_test = pd.DataFrame(x_test, columns=names, index=range(M))
sex_train = pd.get_dummies(X_train["sex"]).reset_index(drop=True)
sex_test = pd.get_dummies(X_test["sex"]).reset_index(drop=True)
x_train = pd.concat([x_train, sex_train], axis=1)
x_test = pd.concat([x_test, sex_test], axis=1)

model = LogisticRegression().fit(x_train, y_train)
print("accuracy %.4f" % model.score(x_test, y_test))
scores = model.predict_proba(x_test)[:, 1]
