"""Bundles: models, pack and settings in one signed file, and how they take over from what serves now, and give way."""
