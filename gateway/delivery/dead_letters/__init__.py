"""Dead letters: consumed from queues, reported, redriven and resent."""
