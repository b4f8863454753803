"""HTTP: the local API (APIFlask), its limits and its server (cheroot)."""
