"""The scripts of the source systems, reduced: they run to the end, and what they write is computed, not copied."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "benchmarks" / "seeds"


def run_reduced(script: str, folder: Path) -> dict[str, Any]:
    """Run a script's reduced form and return its JSON."""
    places = [word for option in ("--run", "--results", "--curves") for word in (option, str(folder / option[2:]))]
    command = [sys.executable, str(SEEDS / f"{script}.py"), "--quick", *places]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads((folder / "results" / f"{script}_quick.json").read_text())
    return results


def test_digits_learn_and_their_files_hold_what_the_quantized_network_makes(tmp_path: Path) -> None:
    results = run_reduced("a_digits", tmp_path)
    history = results["history"]
    assert [point["epoch"] for point in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["test_plain"] < 0.75 * history[0]["test_plain"]
    assert results["test"]["mse_quantized"] < 0.04  # of one grey level for all: 0.059
    assert results["test"]["plain"] == pytest.approx(history[-1]["test_plain"], abs=1e-3)  # float16 weights
    files = results["files"]
    assert files["frames_equal_files"]
    assert files["mse"] == pytest.approx(results["test"]["mse_quantized"], abs=1e-4)  # pixels are rounded to bytes
    assert files["bytes_a_picture_stacked"] < files["bytes_a_file"] <= files["largest_file_bytes"]
    assert results["machine"]["cores"] >= 1
    assert results["command"] == "python benchmarks/seeds/a_digits.py --quick"
    assert (tmp_path / "curves" / "a_digits_quick.png").stat().st_size > 1000
    assert (tmp_path / "run" / "reconstructions.png").stat().st_size > 1000


def test_the_recogniser_measures_what_it_trained_and_what_codecs_leave(tmp_path: Path) -> None:
    results = run_reduced("d_recogniser", tmp_path)
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


@pytest.fixture
def seeds_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SEEDS))


@pytest.mark.usefixtures("seeds_are_importable")
def test_class_report_counts_by_class() -> None:
    from class_report import class_report

    report = class_report(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), 4)
    assert report["accuracy"] == pytest.approx(3 / 5)
    assert report["confusion"] == [[1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    first, second, third, none = report["classes"]
    assert first == {"class": 0, "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert (second["precision"], second["recall"]) == (1.0, 0.5)
    assert second["f1"] == pytest.approx(2 / 3)
    assert (third["precision"], third["recall"]) == (0.5, 1.0)
    assert (none["precision"], none["recall"], none["f1"], none["support"]) == (0.0, 0.0, 0.0, 0)


@pytest.mark.usefixtures("seeds_are_importable")
def test_augmentation_without_amounts_is_the_plain_resize() -> None:
    from recogniser import Training, augmented, to_input

    pictures = np.random.default_rng(0).integers(256, size=(3, 28, 28, 1), dtype=np.uint8)
    still = Training(32, epochs=1, degrees=0, shift=0, zoom=0)
    plain = to_input(pictures, 32)
    torch.testing.assert_close(augmented(pictures, still, torch.Generator()), plain, atol=1e-4, rtol=0)
    moved = augmented(pictures, Training(32, epochs=1), torch.Generator().manual_seed(0))
    assert (moved - plain).abs().mean() > 0.02


@pytest.mark.usefixtures("seeds_are_importable")
def test_an_interrupted_recogniser_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    from common import drawn_digits
    from recogniser import Labelled, Training, train

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
    assert said[0] == "going on at step 5"
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict())
    assert len(resumed_history["validation"]) == len(history["validation"]) == 2
    assert resumed_history["steps"] == history["steps"] == 8
    finished, finished_history = run(tmp_path / "whole.pt", lambda line: None)  # nothing is left to do
    torch.testing.assert_close(finished.state_dict(), whole.state_dict())
    assert finished_history["validation"] == history["validation"]


@pytest.mark.usefixtures("seeds_are_importable")
def test_loss_and_accuracy_of_known_scores() -> None:
    from recogniser import loss_and_accuracy

    scores = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    labels = np.array([0, 1, 1])
    loss, accuracy = loss_and_accuracy(scores, labels)
    assert accuracy == pytest.approx(2 / 3)
    assert loss == pytest.approx(-F.log_softmax(scores, 1)[[0, 1, 2], [0, 1, 1]].mean().item())
