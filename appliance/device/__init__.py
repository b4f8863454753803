"""What the board and its service manager tell and are told: power, heat, notifications, watchdog."""
