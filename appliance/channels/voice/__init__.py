"""The spoken conversation: from the kiosk's own microphone, or from sound that a client sends while it is spoken."""
