# coding: utf-8

# # Week 4 - Classification
# In this exercise we'll use the Wisconsin breast cancer data.

# In[1]:
import numpy as np
import pandas as pd
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

cancer = load_breast_cancer()
print(cancer.keys())

# In[2]:
df = pd.DataFrame(np.c_[cancer['data'], cancer['target']],
                  columns=np.append(cancer['feature_names'], ['target']))
df.info(verbose=False)
print(df.isnull().sum().sum(), 'missing values')

# ### Drop the strongly correlated features

# In[3]:
corr = df.drop('target', axis=1).corr().abs()
upper = corr.where(np.triu(np.ones(corr.shape), k=1).astype(bool))
to_drop = [column for column in upper.columns if any(upper[column] > 0.92)]
print('dropping', len(to_drop), to_drop)
df_small = df.drop(to_drop, axis=1)

# ### Outliers: cap at the 1st and 99th percentile

# In[4]:
for c in df_small.columns[:-1]:
    lo, hi = df_small[c].quantile([0.01, 0.99])
    df_small[c] = df_small[c].clip(lo, hi)

plt.figure(figsize=(6, 4))
plt.scatter(df_small['mean radius'], df_small['mean texture'], c=df_small['target'])
plt.xlabel('mean radius'); plt.ylabel('mean texture')
plt.close()

# ### Train / test

# In[5]:
from sklearn.model_selection import train_test_split, GridSearchCV, cross_val_score
from sklearn.preprocessing import MinMaxScaler
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.metrics import classification_report, confusion_matrix

X = df_small.drop(['target'], axis=1)
y = df_small['target']
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.20, random_state=5)

# In[6]: normalise by hand first, as in the lecture
min_train = X_train.min()
range_train = (X_train - min_train).max()
X_train_scaled = (X_train - min_train) / range_train
svc_model = SVC()
svc_model.fit(X_train_scaled, y_train)
X_test_scaled = (X_test - min_train) / range_train
print(confusion_matrix(y_test, svc_model.predict(X_test_scaled)))

# In[7]: now with a grid
param_grid = {'svc__C': [0.1, 1, 10], 'svc__gamma': [1, 0.1], 'svc__kernel': ['rbf']}
pipe = Pipeline([('scale', MinMaxScaler()), ('svc', SVC())])
grid = GridSearchCV(pipe, param_grid, cv=3, refit=True, verbose=0)
grid.fit(X_train, y_train)
print(grid.best_params_)
grid_predictions = grid.predict(X_test)
print(classification_report(y_test, grid_predictions, target_names=cancer['target_names'][::1]))
print('cv', cross_val_score(grid.best_estimator_, X_train, y_train, cv=3).mean().round(3))
