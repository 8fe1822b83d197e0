"""The script of system D, reduced, and its training of recognisers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks.seeds.class_report import class_report
from benchmarks.seeds.recogniser import Labelled, Training, augmented, loss_and_accuracy, to_input, train
from benchmarks.seeds.shared import drawn_digits


def test_the_recogniser_measures_what_it_trained_and_what_codecs_leave(
    tmp_path: Path, reduced_seed: Callable[..., dict[str, Any]]
) -> None:
    results = reduced_seed("d_recogniser", tmp_path)
    assert results["plain"]["accuracy"] >= 0.5  # ten classes: chance is 0.1
    test = results["test"]
    confusion = np.array(test["confusion"])
    assert confusion.sum() == test["pictures"] == 40
    assert np.trace(confusion) / 40 == pytest.approx(test["accuracy"])
    assert [row["support"] for row in test["classes"]] == confusion.sum(1).tolist()
    points = {point["codec"]: point for point in results["decoded"]}
    assert list(points) == ["original", "conv/digits", "photo", "JPEG", "WebP"]
    assert points["JPEG"]["bytes_a_file"] > points["photo"]["bytes_a_file"] > points["conv/digits"]["bytes_a_file"]
    assert all(0 < point["mse"] < 0.02 for point in results["decoded"][1:])
    assert len(results["history"]["validation"]) == 1
    assert (tmp_path / "run" / "vgg16_digits.safetensors").stat().st_size > 50e6  # 15 million parameters, 4 bytes each


def test_class_report_counts_by_class() -> None:
    report = class_report(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), 4)
    assert report["accuracy"] == pytest.approx(3 / 5)
    assert report["confusion"] == [[1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    first, second, third, none = report["classes"]
    assert first == {"class": 0, "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert (second["precision"], second["recall"]) == (1.0, 0.5)
    assert second["f1"] == pytest.approx(2 / 3)
    assert (third["precision"], third["recall"]) == (0.5, 1.0)
    assert (none["precision"], none["recall"], none["f1"], none["support"]) == (0.0, 0.0, 0.0, 0)


def test_augmentation_without_amounts_is_the_plain_resize() -> None:
    pictures = np.random.default_rng(0).integers(256, size=(3, 28, 28, 1), dtype=np.uint8)
    still = Training(32, epochs=1, degrees=0, shift=0, zoom=0)
    plain = to_input(pictures, 32)
    torch.testing.assert_close(augmented(pictures, still, torch.Generator()), plain, atol=1e-4, rtol=0)
    moved = augmented(pictures, Training(32, epochs=1), torch.Generator().manual_seed(0))
    assert (moved - plain).abs().mean() > 0.02


def test_an_interrupted_recogniser_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    data, validation = Labelled(*drawn_digits(64, 0)), Labelled(*drawn_digits(16, 1))

    class Interrupted(Exception):
        """Stands in for a kill after the first epoch."""

    def run(checkpoint: Path, say: Any) -> tuple[torch.nn.Module, dict[str, Any]]:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28 * 28, 10))
        # A checkpoint after every step, so that the one from before the interruption is there.
        training = Training(28, epochs=2, batch_size=16, checkpoint_minutes=0)
        return network, train(network, data, validation, training, checkpoint, say)

    whole, history = run(tmp_path / "whole.pt", lambda line: None)

    def stop(line: str) -> None:
        if line.startswith("epoch 1.50"):
            raise Interrupted

    with pytest.raises(Interrupted):
        run(tmp_path / "parts.pt", stop)
    said: list[str] = []
    resumed, resumed_history = run(tmp_path / "parts.pt", said.append)
    assert said[0] == "resuming at step 5"
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict())
    assert len(resumed_history["validation"]) == len(history["validation"]) == 2
    assert resumed_history["steps"] == history["steps"] == 8
    finished, finished_history = run(tmp_path / "whole.pt", lambda line: None)  # nothing is left to do
    torch.testing.assert_close(finished.state_dict(), whole.state_dict())
    assert finished_history["validation"] == history["validation"]


def test_loss_and_accuracy_of_known_scores() -> None:
    scores = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    labels = np.array([0, 1, 1])
    loss, accuracy = loss_and_accuracy(scores, labels)
    assert accuracy == pytest.approx(2 / 3)
    assert loss == pytest.approx(-F.log_softmax(scores, 1)[[0, 1, 2], [0, 1, 1]].mean().item())
