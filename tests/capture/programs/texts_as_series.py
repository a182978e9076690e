"""Which queue a message belongs to."""
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import MultinomialNB

messages = pd.read_csv(Path(__file__).with_name("messages.csv"))
texts = messages["text"]
clean = texts.str.lower().str.replace(r"[^a-z ]", "", regex=True)
train, test, y_train, y_test = train_test_split(clean, messages["queue"], random_state=2)

vectors = TfidfVectorizer(min_df=2, stop_words="english")
X_train = vectors.fit_transform(train)
X_test = vectors.transform(test)
model = MultinomialNB().fit(X_train, y_train)
queue = model.predict(X_test)
print((queue == y_test).mean())
