"""The technician at the kiosk: who may open the service page, for how long, and what it is told."""
