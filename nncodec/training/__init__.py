"""Training: data, losses, the loop and its checkpoints. Importing this package imports torch."""
