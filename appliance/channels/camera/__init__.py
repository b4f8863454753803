"""What customers show: documents before the appliance's own camera."""
