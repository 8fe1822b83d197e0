"""Training: from pictures to a model file. Importing `events`, `options`, `recipe` and `settings` needs no torch."""
