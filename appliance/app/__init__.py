"""The composition root: `build.build` makes an `Appliance` from settings; nothing else wires rooms together."""
