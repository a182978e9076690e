"""Messages as a plain list of texts."""
import csv
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

with Path(__file__).with_name("messages.csv").open() as file:
    messages = list(csv.DictReader(file))
texts = [message["text"] for message in messages]
queues = [message["queue"] for message in messages]

cleaned = [text.lower().replace("please", "") for text in texts]
counter = CountVectorizer()
X = counter.fit_transform(cleaned)
model = LogisticRegression(max_iter=200).fit(X, queues)
scores = model.predict_proba(X)
