"""Measurements of the running appliance. They import it; it never imports them."""
