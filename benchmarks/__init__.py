"""Measurements of the project and the trainings of its models; run from the root: `python -m benchmarks.kodak`.

Benchmarks write records to `results/`, `tables` fills the tables of the documentation from these, `measuring` is what
benchmarks share, `seeds` rebuilds the systems that the project started from, `train` makes the bundled models.
"""
