"""Recognition: character error rate, real-time factor, latencies, memory and noise, by recogniser and threads."""
