"""PyTorch building blocks that model plugins share. Importing this package imports torch."""
