"""Edge inference appliance: hears, reads, understands and answers on a kiosk, offline, Chinese first.

Importing this package, or any module in it, touches no GPU, network, disk or environment.
"""

__version__ = "0.1.0"
