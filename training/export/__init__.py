"""From a trained network to a version's files: TorchScript, ONNX, int8."""
