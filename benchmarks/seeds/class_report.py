"""Precision, recall and F1 by class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def class_report(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> dict[str, Any]:
    """Return the quality of predictions for each class.

    Args:
        predicted, labels: (n,), 0 to classes - 1.
        classes: number of classes.

    Returns:
        `accuracy`; `classes`, a list with class, precision, recall, f1 (0 where undefined) and support (number of true
        members); `confusion`, rows are the true classes.
    """
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    right, support, predictions = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    precision = right / np.maximum(predictions, 1)
    recall = right / np.maximum(support, 1)
    # F1 = 2 P R / (P + R) = 2 right / (predictions + support)
    f1 = 2 * right / np.maximum(predictions + support, 1)
    rows = zip(range(classes), precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True)
    return {
        "accuracy": float(right.sum() / len(labels)),
        "classes": [dict(zip(("class", "precision", "recall", "f1", "support"), row, strict=True)) for row in rows],
        "confusion": confusion.tolist(),
    }
