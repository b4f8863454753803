"""Every network, precision, backend and shape: latency, throughput, memory, energy and task metric."""
