"""Records: the one append-only event log; resuming, replay, audit and reports are views of it."""
