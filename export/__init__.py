"""Training, export and derived data: never imported by the running product."""
