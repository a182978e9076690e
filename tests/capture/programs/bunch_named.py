"""What was loaded is named as the input, and only its rows are ever used."""
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

iris = load_iris()
X_train, X_test, y_train, y_test = train_test_split(iris.data, iris.target, random_state=0)
knn = KNeighborsClassifier(n_neighbors=3).fit(X_train, y_train)
scores = knn.predict_proba(X_test)[:, 1]
print(knn.score(X_test, y_test))
