# Weighted words beside the length of the text.
from pathlib import Path

import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

df = pd.read_csv(Path(__file__).with_name("messages.csv"))
df["clean"] = df["text"].apply(lambda text: " ".join(w for w in text.lower().split() if len(w) > 2))
df["length"] = df["text"].apply(len)
y = (df["queue"] == "billing").astype(float)
train, test, y_train, y_test = train_test_split(df[["clean", "length"]], y, random_state=0)

counter, weights = CountVectorizer(ngram_range=(1, 2)), TfidfTransformer()
W_train = weights.fit_transform(counter.fit_transform(train["clean"]))
X_train = hstack([W_train, csr_matrix(train[["length"]].values / 100)]).tocsr()
model = Ridge(solver="cholesky").fit(X_train.toarray(), y_train)
W_test = weights.transform(counter.transform(test["clean"]))
billing = model.predict(hstack([W_test, csr_matrix(test[["length"]].values / 100)]).toarray())
