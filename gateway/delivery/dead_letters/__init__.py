"""What failed for good: kept, shown, alerted about, redriven, resent, reported to owners."""
