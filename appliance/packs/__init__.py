"""Packs: folders of YAML and CSV that give the appliance its words, flows, answers and tables."""
