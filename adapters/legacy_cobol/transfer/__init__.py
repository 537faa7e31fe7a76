"""Feeds: batch files become events, and events become batch files, each record once."""
