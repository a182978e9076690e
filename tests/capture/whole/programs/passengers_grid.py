# Getting started with pipelines: one ColumnTransformer, one GridSearchCV, no leakage :)
import warnings
warnings.filterwarnings('ignore')

import os
import numpy as np
import pandas as pd
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

SEED = 42
here = os.path.dirname(os.path.abspath(__file__))
data_path = os.path.join(here, '..', '..', 'programs', 'passengers.csv')

data = pd.read_csv(data_path, index_col='id')
print('shape:', data.shape)
print(data.isnull().mean().sort_values(ascending=False).head(3))

target = 'survived'

# ----------------------------------------------------------------------------
# a little EDA
# ----------------------------------------------------------------------------
fig, axs = plt.subplots(1, 3, figsize=(12, 3))
data.groupby('sex')[target].mean().plot(kind='bar', ax=axs[0])
data.groupby('pclass')[target].mean().plot(kind='bar', ax=axs[1])
data['age'].hist(bins=20, ax=axs[2])
plt.tight_layout()
plt.close(fig)


class TitleExtractor(BaseEstimator, TransformerMixin):
    """Mr., Mrs., Miss. ... out of the name; the seldom ones become Rare."""

    def __init__(self, min_count=8):
        self.min_count = min_count

    @staticmethod
    def _title(names):
        return names.str.extract(r',\s*([A-Za-z]+)\.', expand=False).fillna('None')

    def fit(self, X, y=None):
        counts = self._title(X['name']).value_counts()
        self.frequent_ = list(counts[counts >= self.min_count].index)
        return self

    def transform(self, X):
        X = X.copy()
        title = self._title(X['name'])
        X['title'] = title.where(title.isin(self.frequent_), 'Rare')
        return X.drop(columns=['name'])


class FamilySize(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = X.assign(family=X['sibsp'] + 1)
        X['alone'] = (X.family == 1).astype(int)
        X['fare_per_head'] = X['fare'] / X['family']
        return X


X = data.drop(columns=target)
y = data[target]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=SEED)

numeric = ['age', 'fare_per_head', 'family']
binned = ['fare']
categorical = ['sex', 'port', 'title']
ordinal = ['pclass']

num_pipe = Pipeline([('impute', SimpleImputer(strategy='median', add_indicator=True)), ('scale', StandardScaler())])
bin_pipe = Pipeline([('impute', SimpleImputer(strategy='mean')),
                     ('bins', KBinsDiscretizer(n_bins=4, encode='onehot-dense', strategy='quantile'))])
cat_pipe = Pipeline([('impute', SimpleImputer(strategy='most_frequent')),
                     ('onehot', OneHotEncoder(handle_unknown='ignore', min_frequency=0.04, sparse_output=False))])

preprocessor = ColumnTransformer([
    ('num', num_pipe, numeric),
    ('bin', bin_pipe, binned),
    ('cat', cat_pipe, categorical),
    ('ord', OrdinalEncoder(), ordinal),
    ('flag', 'passthrough', ['alone']),
], remainder='drop')

pipe = Pipeline([
    ('title', TitleExtractor()),
    ('family', FamilySize()),
    ('prep', preprocessor),
    ('clf', LogisticRegression(max_iter=1000)),
])

param_grid = [
    {'clf': [LogisticRegression(max_iter=1000)], 'clf__C': [0.1, 1.0],
     'prep__num__impute__strategy': ['mean', 'median']},
    {'clf': [RandomForestClassifier(n_estimators=20, random_state=SEED)], 'clf__max_depth': [3, 6],
     'title__min_count': [5, 15]},
]
cv = StratifiedKFold(n_splits=3, shuffle=True, random_state=SEED)
grid = GridSearchCV(pipe, param_grid, cv=cv, scoring='roc_auc', refit=True, n_jobs=1)
grid.fit(X_train, y_train)

print('best score: %.3f' % grid.best_score_)
print(grid.best_params_)
results = pd.DataFrame(grid.cv_results_).sort_values('rank_test_score')
print(results[['mean_test_score', 'std_test_score']].head(3).round(3))

best = grid.best_estimator_
proba = best.predict_proba(X_test)[:, 1]
y_pred = grid.predict(X_test)
print('accuracy:', round(accuracy_score(y_test, y_pred), 3))
ConfusionMatrixDisplay.from_predictions(y_test, y_pred)
plt.close('all')

out = pd.DataFrame({'id': X_test.index, 'survived': y_pred, 'p': proba.round(4)})
# out.to_csv('submission.csv', index=False)
print(out.head())
