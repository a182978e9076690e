'''
Routing of messages, second try:
hand-made features next to counted words (FeatureUnion), the best words by chi2,
three classifiers - the best of them in cross validation goes on.
'''
import re
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import classification_report, f1_score
from sklearn.model_selection import cross_val_predict, cross_val_score, train_test_split
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import LabelEncoder, MaxAbsScaler

STOPWORDS = set('the a an is my me i it to of for and please hello hi'.split())

df = pd.read_csv(Path(__file__).resolve().parents[2] / 'programs' / 'messages.csv')
df = df.dropna().drop_duplicates(subset='text')
df['queue'].value_counts().plot

def clean(text):
    text = text.lower()
    text = re.sub(r'\d+', ' number ', text)
    text = text.translate(str.maketrans('', '', string.punctuation))
    return ' '.join(w for w in text.split() if w not in STOPWORDS)

def stem(word):
    for ending in ('ing', 'ed', 's'):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[:-len(ending)]
    return word

df['clean'] = df['text'].apply(clean)
df['clean'] = df['clean'].apply(lambda t: ' '.join(stem(w) for w in t.split()))

# hand-made features
df['n_chars'] = df['text'].str.len()
df['n_words'] = df['text'].str.split().apply(len)
df['mean_word'] = df['text'].apply(lambda t: np.mean([len(w) for w in t.split()] or [0]))
df['capitals'] = df['text'].apply(lambda t: sum(1 for c in t if c.isupper()))
df['questions'] = df['text'].str.count(r'\?')
df['exclaims'] = df['text'].str.count('!')
handmade = ['n_chars', 'n_words', 'mean_word', 'capitals', 'questions', 'exclaims']

# words that are seen only once say nothing
counts = Counter(w for t in df['clean'] for w in t.split())
rare = {w for w, n in counts.items() if n < 2}
df['clean'] = df['clean'].apply(lambda t: ' '.join(w for w in t.split() if w not in rare))
print(len(counts), 'words,', len(rare), 'of them once')

le = LabelEncoder()
y = le.fit_transform(df['queue'])
train, test, y_train, y_test = train_test_split(df, y, test_size=0.3, random_state=11, stratify=y)

cv = CountVectorizer(ngram_range=(1, 2), max_features=1000)
counts_train = cv.fit_transform(train['clean'])
counts_test = cv.transform(test['clean'])
kbest = SelectKBest(chi2, k=60).fit(counts_train, y_train)
tfidf = TfidfTransformer(sublinear_tf=True)
words_train = tfidf.fit_transform(kbest.transform(counts_train))
words_test = tfidf.transform(kbest.transform(counts_test))

scaler = MaxAbsScaler()
X_train = hstack([words_train, csr_matrix(scaler.fit_transform(train[handmade]))]).tocsr()
X_test = hstack([words_test, csr_matrix(scaler.transform(test[handmade]))]).tocsr()
print(X_train.shape, X_test.shape)

classifiers = [
    ('nb', MultinomialNB(alpha=0.3)),
    ('lr', LogisticRegression(C=4, max_iter=500)),
    ('sgd', SGDClassifier(loss='log_loss', alpha=1e-3, max_iter=50, tol=None, random_state=4)),
]
best_name, best_score, best_clf = None, -1, None
for name, clf in classifiers:
    score = cross_val_score(clf, X_train, y_train, cv=3, scoring='f1_macro').mean()
    print(f'{name}: {score:.3f}')
    if score > best_score:
        best_name, best_score, best_clf = name, score, clf

best_clf.fit(X_train, y_train)
pred = best_clf.predict(X_test)
sure = best_clf.predict_proba(X_test).max(axis=1)
print(best_name, round(f1_score(y_test, pred, average='macro'), 3))
print(classification_report(y_test, pred, target_names=le.classes_))
queue = le.inverse_transform(pred)
queue = np.where(sure < 0.4, 'a person', queue)
