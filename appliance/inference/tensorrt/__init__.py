"""TensorRT: engines built on the device, and the backend that runs them."""
