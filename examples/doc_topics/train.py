"""Which library is a piece of documentation about? Learned from the installed docstrings."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split

LIBRARIES = ["matplotlib", "pandas", "scipy", "sklearn"]


def first_paragraphs(library):
    """The first paragraph of every docstring in the library's modules."""
    for path in sorted(Path(find_spec(library).origin).parent.glob("*/*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                paragraph = (ast.get_docstring(node) or "").split("\n\n")[0]
                if len(paragraph) > 40:
                    yield " ".join(paragraph.split())


def clean(text):
    """Lower case, without the libraries' own names: they would give it away."""
    text = re.sub(r"[`*_]+", " ", text.lower())
    return re.sub(r"\b(matplotlib|mpl|pandas|pd|scipy|sklearn|scikit-learn)\b", " ", text)


rows = {text: library for library in LIBRARIES for text in first_paragraphs(library)}
docs = pd.DataFrame({"text": list(rows), "library": list(rows.values())})
print(docs["library"].value_counts())

cleaned = docs["text"].apply(clean)
train_text, test_text, train_y, test_y = train_test_split(
    cleaned, docs["library"], test_size=0.25, random_state=3, stratify=docs["library"]
)

vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
model = LogisticRegression(C=10, max_iter=1000, class_weight="balanced")
model.fit(vectorizer.fit_transform(train_text), train_y)
print(classification_report(test_y, model.predict(vectorizer.transform(test_text))))

about = model.predict(vectorizer.transform(cleaned))
