"""The composition root: `build.build` makes an `appliance.Appliance` from settings; nothing else wires rooms together."""
