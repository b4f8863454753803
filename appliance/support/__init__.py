"""For the technician: a support bundle, backup and restore, settings from a stick, and the way back."""
