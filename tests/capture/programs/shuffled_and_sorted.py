# Sorted for a look, shuffled for the training, halves by position.
from pathlib import Path

import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

houses = pd.read_csv(Path(__file__).with_name("houses.csv"))
houses = houses.sort_values("price", ascending=False)
print(houses.head(3)["price"].tolist())
houses = houses[houses["price"].notnull()]
houses = houses.sample(frac=1, random_state=4).reset_index(drop=True)
columns = houses.select_dtypes("number").columns.drop(["id", "price"])
X = houses[columns].fillna(houses[columns].mean())
half = len(X) // 2
X_first, X_second = X[:half], X[half:]
pca = PCA(n_components=3, random_state=0)
Z_first = pca.fit_transform(X_first)
Z_second = pca.transform(X_second)
model = LinearRegression().fit(Z_first, houses["price"][:half])
late = model.predict(Z_second)
