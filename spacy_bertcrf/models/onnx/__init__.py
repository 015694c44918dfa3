"""A trained model as ONNX graphs, read by onnxruntime and NumPy: all but `export` without torch."""
