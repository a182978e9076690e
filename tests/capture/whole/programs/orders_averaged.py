# Orders: 5 folds, the mean of the folds' models for the test set  (public kernel style)
import gc
import random
import os
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import LabelEncoder

def seed_everything(seed):
    random.seed(seed)
    os.environ['PYTHONHASHSEED'] = str(seed)
    np.random.seed(seed)

def reduce_mem_usage(df):
    for col in df.columns:
        if pd.api.types.is_integer_dtype(df[col]):
            for kind in (np.int8, np.int16, np.int32):
                if df[col].min() > np.iinfo(kind).min and df[col].max() < np.iinfo(kind).max:
                    df[col] = df[col].astype(kind)
                    break
        elif pd.api.types.is_float_dtype(df[col]):
            df[col] = df[col].astype(np.float32)
    return df

seed_everything(77)
INPUT = Path(__file__).resolve().parents[2] / 'programs' / 'orders.csv'
orders = pd.read_csv(INPUT, parse_dates=['placed'])
train_df = orders.iloc[:220].copy()
test_df = orders.iloc[220:].drop(columns='returned').copy()

TARGET = 'returned'
train_df['is_train'], test_df['is_train'] = 1, 0
df = pd.concat([train_df, test_df], ignore_index=True, sort=False)
del train_df, test_df; gc.collect()

# dates
for part in ['hour', 'dayofweek', 'month']:
    df[f'placed_{part}'] = getattr(df['placed'].dt, part)
df['weekend'] = (df['placed_dayofweek'] >= 5).astype(int)

# codes
df['code_letters'] = df['code'].str.extract(r'^([A-Z]+)')
df['code_number'] = df['code'].str.extract(r'(\d+)$').astype(float)
df['coupon'] = df['coupon'].str.strip().str.lower().fillna('missing')

# price bins, frequency encoding, group statistics
df['amount_bin'] = pd.cut(df['amount'], bins=[-1, 20, 50, 100, 1e9], labels=[0, 1, 2, 3]).astype(int)
for col in ['city', 'coupon']:
    freq = df[col].value_counts(normalize=True, dropna=False)
    df[col + '_freq'] = df[col].map(freq)
agg = df.groupby('channel').agg({'amount': ['mean', 'std'], 'items': ['max']})
agg.columns = ['channel_' + '_'.join(c) for c in agg.columns]
df = df.merge(agg.reset_index(), on='channel', how='left')
df['amount_to_channel'] = df['amount'] / df['channel_amount_mean']

cats = ['city', 'channel', 'coupon', 'code_letters']
for c in cats:
    le = LabelEncoder()
    df[c] = le.fit_transform(df[c].astype(str))

df = reduce_mem_usage(df)
train = df[df['is_train'] == 1].reset_index(drop=True)
test = df[df['is_train'] == 0].reset_index(drop=True)
features = [c for c in train.columns if c not in [TARGET, 'is_train', 'order', 'placed', 'code']]
print(len(features), features[:5])

N_FOLDS = 5
folds = StratifiedKFold(n_splits=N_FOLDS, shuffle=True, random_state=2020)
oof = np.zeros(len(train))
predictions = np.zeros(len(test))
for fold_, (trn_idx, val_idx) in enumerate(folds.split(train[features], train[TARGET])):
    trn_x, trn_y = train.loc[trn_idx, features], train.loc[trn_idx, TARGET]
    val_x, val_y = train.loc[val_idx, features], train.loc[val_idx, TARGET]
    clf = HistGradientBoostingClassifier(max_iter=15, learning_rate=0.1, max_depth=3, random_state=fold_)
    clf.fit(trn_x, trn_y)
    oof[val_idx] = clf.predict_proba(val_x)[:, 1]
    predictions += clf.predict_proba(test[features])[:, 1] / folds.n_splits
    print(f'fold {fold_}: {roc_auc_score(val_y, oof[val_idx]):.3f}')
print('CV score: {:<8.4f}'.format(roc_auc_score(train[TARGET], oof)))

sub = pd.DataFrame({'order': test['order'], TARGET: predictions})
print(sub[TARGET].describe().round(3))
