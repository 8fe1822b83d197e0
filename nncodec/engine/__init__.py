"""Networks without torch: written once in a few operations, which NumPy, ONNX Runtime and exported files carry out."""
