"""Lets `python -m appliance.cli` run the command line."""

from appliance.cli import main

main()
