"""Language models beside each other, beside what they replace, and on public sets."""
