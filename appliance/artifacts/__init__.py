"""Models as files: what they are (manifest), where they come from (sources, pull), where they lie (store)."""
