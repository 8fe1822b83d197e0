"""Precision, recall and F1 by class, as classification reports give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def class_report(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> dict[str, Any]:
    """Return how a recogniser does on each class.

    Args:
        predicted, labels: (n,), 0 to classes - 1.
        classes: how many there are.

    Returns:
        `accuracy`; `classes`, a list with class, precision, recall, f1 (0 where undefined) and support (how many there
        are); `confusion`, rows are the true classes.
    """
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    right, support, said = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    precision = right / np.maximum(said, 1)
    recall = right / np.maximum(support, 1)
    # F1 = 2 P R / (P + R) = 2 right / (said + support)
    f1 = 2 * right / np.maximum(said + support, 1)
    rows = zip(range(classes), precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True)
    return {
        "accuracy": float(right.sum() / len(labels)),
        "classes": [dict(zip(("class", "precision", "recall", "f1", "support"), row, strict=True)) for row in rows],
        "confusion": confusion.tolist(),
    }
