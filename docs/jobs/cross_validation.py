"""Cross-validates classifiers of handwritten digits: one task for each strength and each fold."""

from typing import Any

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

FOLDS = 5


def inputs() -> list[tuple[float, int]]:
    return [(strength, fold) for strength in (0.01, 0.1, 1.0, 10.0) for fold in range(FOLDS)]


def load() -> tuple[Any, Any]:
    return load_digits(return_X_y=True)


def run(task: tuple[float, int], data: tuple[Any, Any]) -> float:
    (strength, fold), (images, labels) = task, data
    train, test = list(KFold(FOLDS, shuffle=True, random_state=0).split(images))[fold]
    model = LogisticRegression(C=strength, max_iter=1000, tol=0.001)
    return float(
        model.fit(images[train] / 16, labels[train]).score(images[test] / 16, labels[test])
    )


def same(a: float, b: float) -> bool:
    return abs(a - b) < 0.01
