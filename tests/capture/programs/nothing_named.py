import pandas as pd
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

bunch = load_iris(as_frame=True)
iris = bunch.frame
X = iris.drop(columns="target")
y = iris["target"]
scaler = StandardScaler().fit(X)
X_scaled = pd.DataFrame(scaler.transform(X), columns=X.columns)
search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3, 5, 9]}, cv=3)
search.fit(X_scaled, y)
print(search.best_params_)
predicted = search.predict(X_scaled)
